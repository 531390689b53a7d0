// Doing something that changes the gateway: busy while it lasts, told when it is done, kept when it is refused.
import { Alert, Button, Group, Stack, Text } from "@mantine/core";
import { notifications } from "@mantine/notifications";
import { useQueryClient } from "@tanstack/react-query";
import { type ReactNode, useState } from "react";

import { Problem } from "./Page";
import { Dialog } from "./Dialog";

export interface Act<A extends unknown[]> {
  run: (...given: A) => Promise<boolean>;
  busy: boolean;
  error: unknown;
  clear: () => void;
}

/** `change` does it; afterwards everything shown is read again, and `done` says what happened. */
export function useAct<A extends unknown[], R>(
  change: (...given: A) => Promise<R>,
  done: string | ((result: R) => string | undefined),
): Act<A> {
  const queries = useQueryClient();
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>();
  const run = async (...given: A) => {
    setBusy(true);
    setError(undefined);
    try {
      const result = await change(...given);
      const message = typeof done === "string" ? done : done(result);
      if (message) notifications.show({ message, color: "teal", closeButtonProps: { "aria-label": "Close the message" } });
      await queries.invalidateQueries();
      return true;
    } catch (cause) {
      setError(cause);
      return false;
    } finally {
      setBusy(false);
    }
  };
  return { run, busy, error, clear: () => setError(undefined) };
}

/** Asks before something is done that cannot be taken back. `children` say what will break. */
export function Ask({
  opened,
  onClose,
  title,
  confirm,
  act,
  children,
}: {
  opened: boolean;
  onClose: () => void;
  title: string;
  /** What the button says: `Delete the key`. */
  confirm: string;
  act: Act<[]>;
  children: ReactNode;
}) {
  const close = () => {
    act.clear();
    onClose();
  };
  return (
    <Dialog opened={opened} onClose={close} title={title}>
      <Stack>
        {typeof children === "string" ? <Text size="sm">{children}</Text> : children}
        {act.error !== undefined && <Problem error={act.error} />}
        <Group justify="flex-end">
          <Button variant="default" onClick={close}>
            Cancel
          </Button>
          <Button color="red" loading={act.busy} data-autofocus onClick={async () => (await act.run()) && close()}>
            {confirm}
          </Button>
        </Group>
      </Stack>
    </Dialog>
  );
}

/** Says that what is edited was changed by somebody else meanwhile. */
export function Changed({ fields, onTake }: { fields: string[]; onTake: () => void }) {
  return (
    <Alert color="yellow" role="alert" title="Somebody else changed this meanwhile">
      <Stack gap="xs" align="flex-start">
        <Text size="sm">
          Different now: {fields.join(", ")}. Nothing was saved. Save again to put your values over theirs, or take theirs.
        </Text>
        <Button size="xs" variant="default" onClick={onTake}>
          Take theirs
        </Button>
      </Stack>
    </Alert>
  );
}
