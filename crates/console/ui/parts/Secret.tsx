// A secret: hidden until it is asked for, then shown with a button that copies it.
import { Button, Code, Group } from "@mantine/core";
import { useState } from "react";

import { Copy } from "./Copy";

export function Secret({ value, what, shown }: { value: string; what: string; shown?: boolean }) {
  const [open, setOpen] = useState(shown ?? false);
  return (
    <Group gap="xs" wrap="nowrap">
      <Code style={{ fontSize: 14, overflowWrap: "anywhere" }} aria-label={open ? what : `${what}, hidden`}>
        {open ? value : "•".repeat(24)}
      </Code>
      {!shown && (
        <Button size="compact-xs" variant="subtle" onClick={() => setOpen(!open)}>
          {open ? "Hide" : "Show"}
        </Button>
      )}
      <Copy value={value} what={what} />
    </Group>
  );
}
