// The AWS CLI command that does what the console is about to do.
import { Box, Code, Collapse, Group, UnstyledButton } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";

import type { PatchOperation } from "../api/types";
import { Copy } from "./Copy";
import { Icon } from "./Icon";

export type CliValue = string | number | boolean | undefined | PatchOperation[] | Record<string, unknown>;

/** `aws apigateway create-api-key --name alice --enabled --endpoint-url …` */
export function awsCommand(operation: string, parameters: Record<string, CliValue>): string {
  const words = ["aws", "apigateway", operation];
  for (const [name, value] of Object.entries(parameters)) {
    if (value === undefined || value === "") continue;
    const flag = name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
    if (typeof value === "boolean") words.push(value ? `--${flag}` : `--no-${flag}`);
    else words.push(`--${flag}`, quoted(typeof value === "object" ? JSON.stringify(value) : String(value)));
  }
  words.push("--endpoint-url", window.location.origin);
  return words.join(" ");
}

/** As a POSIX shell takes it. */
export function quoted(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}

export function Cli({ command }: { command: string }) {
  const [open, { toggle }] = useDisclosure();
  return (
    <Box>
      <UnstyledButton onClick={toggle} aria-expanded={open} className="quiet" fz="xs">
        <Group gap={6} component="span">
          <Icon name="terminal" size={13} /> {open ? "Hide the command" : "As an AWS CLI command"}
        </Group>
      </UnstyledButton>
      <Collapse expanded={open}>
        <Group gap={4} wrap="nowrap" align="flex-start" mt={4}>
          <Code block tabIndex={0} aria-label="AWS CLI command" style={{ flex: 1, whiteSpace: "pre-wrap" }}>
            {command}
          </Code>
          <Copy value={command} what="the command" />
        </Group>
      </Collapse>
    </Box>
  );
}
