// Everything behind the sign-in. A session that ends asks again over the page, so that nothing typed is lost.
import { Alert, Button, Center, Loader, Paper, PasswordInput, Stack, Text, TextInput, Title } from "@mantine/core";
import { useForm } from "@mantine/form";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { createContext, type ReactNode, useContext, useEffect, useRef, useState } from "react";

import { ApiError, onSignInNeeded, type Session, session } from "../api/client";
import { Dialog } from "../parts/Dialog";

interface Known {
  session: Session;
  signOut: () => Promise<void>;
}

const SessionContext = createContext<Known | undefined>(undefined);

/** Who is signed in, and how to sign out. */
export function useSession(): Known {
  const known = useContext(SessionContext);
  if (!known) throw new Error("used outside SignedIn");
  return known;
}

const KEY = ["session"];

export function SignedIn({ children }: { children: ReactNode }) {
  const queries = useQueryClient();
  const found = useQuery({ queryKey: KEY, queryFn: () => session.look(), staleTime: Infinity, retry: 2 });
  const [again, setAgain] = useState(false);
  const waiting = useRef<(() => void)[]>([]);

  useEffect(() => {
    onSignInNeeded(() => {
      setAgain(true);
      return new Promise<void>((done) => waiting.current.push(done));
    });
  }, []);

  const signedIn = (known: Session) => {
    queries.setQueryData(KEY, known);
    setAgain(false);
    waiting.current.splice(0).forEach((done) => done());
  };
  const signOut = async () => {
    const known = await session.signOut();
    queries.removeQueries({ predicate: ({ queryKey }) => queryKey[0] !== KEY[0] });
    queries.setQueryData(KEY, known);
  };

  if (found.error) {
    return (
      <Center mih="100vh" p="md">
        <Alert color="red" title="The gateway does not answer" maw={480}>
          <Stack gap="sm" align="flex-start">
            <Text size="sm">{found.error.message}</Text>
            <Button size="xs" variant="default" onClick={() => found.refetch()}>
              Try again
            </Button>
          </Stack>
        </Alert>
      </Center>
    );
  }
  if (!found.data) {
    return (
      <Center mih="100vh">
        <Loader aria-label="Loading" />
      </Center>
    );
  }
  if (!found.data.signedIn && !again) {
    return (
      <Center mih="100vh" p="md" component="main">
        <Paper withBorder p="xl" w="100%" maw={420}>
          <SignInForm onDone={signedIn} />
        </Paper>
      </Center>
    );
  }
  return (
    <SessionContext.Provider value={{ session: found.data, signOut }}>
      {children}
      <Dialog
        opened={again}
        onClose={() => undefined}
        withoutClose
        closeOnEscape={false}
        title="Your session has ended"
        zIndex={500}
      >
        <Text size="sm" mb="md">
          Sign in again to go on. What you typed is still there.
        </Text>
        <SignInForm onDone={signedIn} plain />
      </Dialog>
    </SessionContext.Provider>
  );
}

/** `plain`: without its own heading. */
function SignInForm({ onDone, plain }: { onDone: (known: Session) => void; plain?: boolean }) {
  const form = useForm({ initialValues: { id: "", secret: "" } });
  const [refused, setRefused] = useState<string>();
  const [busy, setBusy] = useState(false);
  const submit = form.onSubmit(async ({ id, secret }) => {
    setBusy(true);
    setRefused(undefined);
    try {
      onDone(await session.signIn(id.trim(), secret.trim()));
    } catch (error) {
      setRefused(error instanceof ApiError ? error.message : String(error));
      form.setFieldValue("secret", "");
    } finally {
      setBusy(false);
    }
  });
  return (
    <form onSubmit={submit} aria-label="Sign in">
      <Stack>
        {!plain && (
          <div>
            <Title order={1} size="h2">
              Tollgate
            </Title>
            <Text className="quiet" size="sm">
              Sign in with an access key. The first start of the gateway wrote one to the file <code>credentials</code> in
              its data directory.
            </Text>
          </div>
        )}
        <TextInput
          label="Access key id"
          autoComplete="username"
          spellCheck={false}
          required
          data-autofocus
          autoFocus
          {...form.getInputProps("id")}
        />
        <PasswordInput
          label="Secret access key"
          autoComplete="current-password"
          required
          {...form.getInputProps("secret")}
        />
        {refused && (
          <Alert color="red" role="alert">
            {refused}
          </Alert>
        )}
        <Button type="submit" loading={busy}>
          Sign in
        </Button>
      </Stack>
    </form>
  );
}
