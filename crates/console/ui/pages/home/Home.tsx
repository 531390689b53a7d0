// Home: how busy the gateway is, what it refuses, whether it is well.
import { Badge, Group, SimpleGrid, Table, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";

import { call } from "../../api/client";
import type { Live, Status } from "../../api/types";
import { Chart, type Series } from "../../parts/Chart";
import { Loading, Page, Problem, Section } from "../../parts/Page";
import { duration, number } from "../../parts/words";

export function Home() {
  const live = useQuery({
    queryKey: ["live"],
    queryFn: ({ signal }) => call<Live>({ path: "/tollgate/live", signal }),
    refetchInterval: 2000,
  });
  const status = useQuery({
    queryKey: ["status"],
    queryFn: ({ signal }) => call<Status>({ path: "/status", signal }),
    refetchInterval: 10_000,
  });
  if (live.error) {
    return (
      <Page title="Home">
        <Problem error={live.error} again={() => void live.refetch()} />
      </Page>
    );
  }
  if (!live.data) return <Loading what="the gateway's figures" />;
  const { seconds, refusals, topKeys } = live.data;
  const series: Series[] = [
    { label: "answered", colour: ["#0b7285", "#3bc9db"], values: seconds.map((one) => one.answered) },
    { label: "429", colour: ["#e67700", "#ffd43b"], values: seconds.map((one) => one.limited) },
    { label: "403", colour: ["#862e9c", "#da77f2"], values: seconds.map((one) => one.forbidden) },
    { label: "failed", colour: ["#c92a2a", "#ff8787"], values: seconds.map((one) => one.failed + one.refused) },
  ];
  return (
    <Page
      title="Home"
      actions={
        status.data && (
          <Group gap="xs">
            <Badge color={status.data.ledger === "ok" ? "teal" : "red"} variant="light">
              {status.data.phase}, ledger {status.data.ledger}
            </Badge>
            <Badge variant="light">quotas: {status.data.guarantee}</Badge>
          </Group>
        )
      }
    >
      <Section title="Requests a second, last five minutes">
        <Chart label="Requests a second" times={seconds.map((one) => one.at)} series={series} />
      </Section>
      <SimpleGrid cols={{ base: 1, md: 2 }}>
        <Section title="Refusals since the start">
          <Table aria-label="Refusals by reason">
            <Table.Tbody>
              {Object.entries(refusals).map(([reason, count]) => (
                <Table.Tr key={reason}>
                  <Table.Td>{reason}</Table.Td>
                  <Table.Td className="number" ta="right">
                    {number(count)}
                  </Table.Td>
                </Table.Tr>
              ))}
            </Table.Tbody>
          </Table>
        </Section>
        <Section title="Busiest keys">
          <Table aria-label="Busiest keys">
            <Table.Tbody>
              {topKeys.map((key) => (
                <Table.Tr key={key.apiKeyId}>
                  <Table.Td>{key.apiKeyId}</Table.Td>
                  <Table.Td className="number" ta="right">
                    {number(key.calls)}
                  </Table.Td>
                </Table.Tr>
              ))}
            </Table.Tbody>
          </Table>
          <Text size="xs" className="quiet">
            Of {number(live.data.topKeysCalls)} calls with keys in {duration(live.data.topKeysS)}
          </Text>
        </Section>
      </SimpleGrid>
    </Page>
  );
}
