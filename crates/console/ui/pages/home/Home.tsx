// Home: how busy the gateway is, what it refuses, whether it is well; on an empty one, how to begin.
import { Anchor, Badge, Group, SimpleGrid, Table, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useMemo, useState } from "react";

import { call } from "../../api/client";
import { useKey, useStatus } from "../../api/names";
import type { Live, LiveSecond } from "../../api/types";
import { Chart, type Series } from "../../parts/Chart";
import { Loading, Page, Problem, Section } from "../../parts/Page";
import { duration, number } from "../../parts/words";
import { FirstSteps, useFirstSteps } from "./FirstSteps";

const LOOK_MS = 2000;

const GUARANTEES: Record<string, string> = {
  exact: "Quotas are exact: never one request more, through crashes and power cuts",
};

export function Home() {
  const live = useQuery({
    queryKey: ["live"],
    queryFn: ({ signal }) => call<Live>({ path: "/tollgate/live", signal }),
    refetchInterval: LOOK_MS,
  });
  const steps = useFirstSteps();
  // The steps stay until the page is left: the last of them shows a key's value.
  const [began, setBegan] = useState(false);
  const unfinished = steps !== undefined && (steps.offered.length === 0 || !steps.plan || !steps.hasKeys);
  if (unfinished && !began) setBegan(true);
  if (live.error && !live.data) {
    return (
      <Page title="Home">
        <Problem error={live.error} again={() => void live.refetch()} />
      </Page>
    );
  }
  if (!live.data) return <Loading what="the gateway's figures" />;
  return (
    <Page title="Home" actions={<Health />}>
      {live.error && <Problem error={live.error} title="These figures are old" />}
      {steps && (unfinished || began) && <FirstSteps {...steps} />}
      <Requests seconds={live.data.seconds} />
      <SimpleGrid cols={{ base: 1, md: 2 }}>
        <Refusals refusals={live.data.refusals} />
        <TopKeys live={live.data} />
      </SimpleGrid>
    </Page>
  );
}

function Health() {
  const status = useStatus();
  if (!status.data) return null;
  const { phase, ledger, guarantee } = status.data;
  const well = phase === "serving" && ledger === "ok";
  return (
    <Group gap="xs">
      <Badge color={well ? "teal" : "red"} variant="light" tt="none" size="lg">
        {well ? "Well" : `${phase}, ledger ${ledger}`}
      </Badge>
      <Badge variant="light" tt="none" size="lg" title={GUARANTEES[guarantee]}>
        Quotas {guarantee}
      </Badge>
    </Group>
  );
}

function Requests({ seconds }: { seconds: LiveSecond[] }) {
  const series: Series[] = useMemo(
    () => [
      { label: "answered", colour: ["#0b7285", "#3bc9db"], values: seconds.map((one) => one.answered) },
      { label: "429", colour: ["#d9480f", "#ffa94d"], values: seconds.map((one) => one.limited) },
      { label: "403", colour: ["#862e9c", "#da77f2"], values: seconds.map((one) => one.forbidden) },
      { label: "failed", colour: ["#c92a2a", "#ff8787"], values: seconds.map((one) => one.failed + one.refused) },
    ],
    [seconds],
  );
  const times = useMemo(() => seconds.map((one) => one.at), [seconds]);
  const minute = seconds.slice(-60);
  const sum = (of: (one: LiveSecond) => number) => minute.reduce((total, one) => total + of(one), 0);
  const facts: [string, number][] = [
    ["Answered", sum((one) => one.answered)],
    ["Refused with 429: over a limit", sum((one) => one.limited)],
    ["Refused with 403: no key that opens it", sum((one) => one.forbidden)],
    ["Failed: the server behind, or a bad request", sum((one) => one.failed + one.refused)],
  ];
  return (
    <Section title="Requests a second, last five minutes">
      <Chart label="Requests a second over the last five minutes" times={times} series={series} />
      <details>
        <summary>The last minute in figures</summary>
        <Table aria-label="Requests in the last minute" maw={480}>
          <Table.Tbody>
            {facts.map(([name, count]) => (
              <Table.Tr key={name}>
                <Table.Td>{name}</Table.Td>
                <Table.Td className="number" ta="right">
                  {number(count)}
                </Table.Td>
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      </details>
    </Section>
  );
}

/** The reasons people meet most; others are shown by their own names. */
const REASONS: Record<string, string> = {
  "key-missing": "no key was sent",
  "key-unknown": "no such key",
  "key-disabled": "the key is disabled",
  "key-not-in-plan": "the key has no plan for the stage",
  throttled: "too fast (429)",
  "quota-exceeded": "quota used up (429)",
  "no-stage": "no such API or stage",
  "no-method": "no such method",
  misconfigured: "the method cannot work as it is set up",
  "upstream-connect": "the server behind does not answer",
  "integration-timeout": "the server behind was too slow",
};

function Refusals({ refusals }: { refusals: Record<string, number> }) {
  const rows = Object.entries(refusals).sort((a, b) => b[1] - a[1]);
  return (
    <Section title="Refusals since the start">
      {rows.length === 0 ? (
        <Text size="sm">None.</Text>
      ) : (
        <Table aria-label="Refusals by reason">
          <Table.Tbody>
            {rows.map(([reason, count]) => (
              <Table.Tr key={reason}>
                <Table.Td>
                  <code>{reason}</code>{" "}
                  {REASONS[reason] && (
                    <Text span size="sm" className="quiet">
                      {REASONS[reason]}
                    </Text>
                  )}
                </Table.Td>
                <Table.Td className="number" ta="right">
                  {number(count)}
                </Table.Td>
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      )}
    </Section>
  );
}

function TopKeys({ live }: { live: Live }) {
  return (
    <Section title="Busiest keys">
      {live.topKeys.length === 0 ? (
        <Text size="sm">No call with a key in the last minute.</Text>
      ) : (
        <>
          <Table aria-label="Busiest keys">
            <Table.Thead>
              <Table.Tr>
                <Table.Th>Key</Table.Th>
                <Table.Th ta="right">Calls</Table.Th>
                <Table.Th ta="right">Over a limit</Table.Th>
              </Table.Tr>
            </Table.Thead>
            <Table.Tbody>
              {live.topKeys.map((key) => (
                <Table.Tr key={key.apiKeyId}>
                  <Table.Td>
                    <KeyName id={key.apiKeyId} />
                  </Table.Td>
                  <Table.Td className="number" ta="right">
                    {number(key.calls)}
                  </Table.Td>
                  <Table.Td className="number" ta="right">
                    {number(key.limited)}
                  </Table.Td>
                </Table.Tr>
              ))}
            </Table.Tbody>
          </Table>
          <Text size="xs" className="quiet" mt={4}>
            Of the last {number(live.topKeysCalls)} calls with keys, in {duration(live.topKeysS)}.
          </Text>
        </>
      )}
    </Section>
  );
}

function KeyName({ id }: { id: string }) {
  const key = useKey(id);
  return (
    <Anchor component={Link} to={`/keys/${id}`} size="sm">
      {key.data?.name ?? id}
    </Anchor>
  );
}
