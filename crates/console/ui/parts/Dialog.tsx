// A dialog with its title and a way out; Mantine's parts, but for its header, which would be a second banner of the page.
import { CloseButton, Group, Modal, type ModalRootProps, Title } from "@mantine/core";
import type { ReactNode } from "react";

export function Dialog({
  title,
  withoutClose,
  children,
  ...rest
}: {
  title: string;
  /** It ends by itself only. */
  withoutClose?: boolean;
  children: ReactNode;
} & Pick<ModalRootProps, "opened" | "onClose" | "size" | "closeOnClickOutside" | "closeOnEscape" | "zIndex">) {
  return (
    <Modal.Root {...rest}>
      <Modal.Overlay />
      <Modal.Content aria-label={title}>
        <Group justify="space-between" wrap="nowrap" p="md" pb={0}>
          <Title order={2} size="h4">
            {title}
          </Title>
          {!withoutClose && <CloseButton aria-label="Close" onClick={rest.onClose} />}
        </Group>
        <Modal.Body pt="sm">{children}</Modal.Body>
      </Modal.Content>
    </Modal.Root>
  );
}
