// A page's head: where it is, its title, what can be done; and the states a page can be in besides filled.
import { Alert, Anchor, Breadcrumbs, Button, Center, Group, Loader, Paper, Stack, Text, Title } from "@mantine/core";
import { Link } from "@tanstack/react-router";
import { type ReactNode, useEffect } from "react";

import { ApiError } from "../api/client";

interface Crumb {
  label: string;
  to: string;
}

export function Page({
  title,
  crumbs,
  actions,
  intro,
  children,
}: {
  title: string;
  /** The pages above this one. */
  crumbs?: Crumb[];
  actions?: ReactNode;
  /** One sentence on what the page is for. */
  intro?: ReactNode;
  children: ReactNode;
}) {
  useEffect(() => {
    document.title = `${title} – Tollgate`;
  }, [title]);
  return (
    <Stack gap="lg" maw={1280}>
      <div>
        {crumbs && (
          <Breadcrumbs mb={4}>
            {crumbs.map(({ label, to }) => (
              <Anchor key={to} component={Link} to={to} size="sm">
                {label}
              </Anchor>
            ))}
          </Breadcrumbs>
        )}
        <Group justify="space-between" align="flex-start">
          <Title order={1} size="h2">
            {title}
          </Title>
          {actions && <Group gap="xs">{actions}</Group>}
        </Group>
        {intro && (
          <Text className="quiet" size="sm" maw={720} mt={4}>
            {intro}
          </Text>
        )}
      </div>
      {children}
    </Stack>
  );
}

/** What went wrong and what to do; `again` offers another try. */
export function Problem({ error, again, title }: { error: unknown; again?: () => void; title?: string }) {
  const text = error instanceof Error ? error.message : String(error);
  const requestId = error instanceof ApiError ? error.requestId : undefined;
  return (
    <Alert color="red" role="alert" title={title}>
      <Stack gap="xs" align="flex-start">
        <Text size="sm">{text}</Text>
        {requestId && (
          <Text size="xs" className="quiet">
            Request {requestId}
          </Text>
        )}
        {again && (
          <Button size="xs" variant="default" onClick={again}>
            Try again
          </Button>
        )}
      </Stack>
    </Alert>
  );
}

export function Loading({ what }: { what: string }) {
  return (
    <Center p="xl">
      <Loader aria-label={`Loading ${what}`} />
    </Center>
  );
}

/** A list without anything in it: what it is for, and the way to the first. */
export function Empty({ title, text, action }: { title: string; text: string; action?: ReactNode }) {
  return (
    <Paper withBorder p="xl" ta="center">
      <Title order={2} size="h4">
        {title}
      </Title>
      <Text className="quiet" size="sm" maw={520} mx="auto" mt={4} mb={action ? "md" : 0}>
        {text}
      </Text>
      {action}
    </Paper>
  );
}

/** A part of a page with its own heading. */
export function Section({ title, actions, children }: { title: string; actions?: ReactNode; children: ReactNode }) {
  return (
    <Paper withBorder p={{ base: "sm", sm: "md" }} component="section" aria-label={title}>
      <Group justify="space-between" mb="sm">
        <Title order={2} size="h4">
          {title}
        </Title>
        {actions && <Group gap="xs">{actions}</Group>}
      </Group>
      {children}
    </Paper>
  );
}
