// A button that copies a text and says that it did.
import { ActionIcon, Button, CopyButton, Tooltip } from "@mantine/core";

import { Icon } from "./Icon";

export function Copy({ value, what, labelled }: { value: string; what: string; labelled?: boolean }) {
  return (
    <CopyButton value={value} timeout={1500}>
      {({ copied, copy }) =>
        labelled ? (
          <Button size="xs" variant="default" leftSection={<Icon name={copied ? "check" : "copy"} />} onClick={copy}>
            {copied ? "Copied" : `Copy ${what}`}
          </Button>
        ) : (
          <Tooltip label={copied ? "Copied" : `Copy ${what}`}>
            <ActionIcon variant="subtle" color="gray" onClick={copy} aria-label={copied ? "Copied" : `Copy ${what}`}>
              <Icon name={copied ? "check" : "copy"} />
            </ActionIcon>
          </Tooltip>
        )
      }
    </CopyButton>
  );
}
