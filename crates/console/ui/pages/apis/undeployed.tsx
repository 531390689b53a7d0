// What an API has that a stage has not yet.
import { Badge, Table, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";

import { call } from "../../api/client";

export interface Difference {
  place: string;
  change: "added" | "removed" | "changed";
  members: string[];
}

/** Without a stage: everything, as it would be deployed for the first time. */
export function useUndeployed(api: string, stage: string | undefined, enabled = true) {
  return useQuery({
    queryKey: ["undeployed", api, stage],
    enabled,
    queryFn: async ({ signal }) => {
      const query = { restApiId: api, stageName: stage };
      return (await call<{ changes: Difference[] }>({ path: "/tollgate/undeployed", query, signal })).changes;
    },
  });
}

const COLOURS = { added: "teal", removed: "red", changed: "orange" };

export function Differences({ changes }: { changes: Difference[] }) {
  if (changes.length === 0) return <Text size="sm">Nothing has changed since the last deployment to this stage.</Text>;
  return (
    <div style={{ maxHeight: 260, overflow: "auto" }} tabIndex={0} role="region" aria-label="What changed">
      <Table aria-label="What changed since the last deployment">
        <Table.Tbody>
          {changes.map(({ place, change, members }) => (
            <Table.Tr key={place}>
              <Table.Td w={100}>
                <Badge size="sm" variant="light" color={COLOURS[change]}>
                  {change}
                </Badge>
              </Table.Td>
              <Table.Td>
                <code>{place}</code>
                {members.length > 0 && (
                  <Text size="xs" className="quiet">
                    {members.join(", ")}
                  </Text>
                )}
              </Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </div>
  );
}
