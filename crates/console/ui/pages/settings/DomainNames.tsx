// Custom domain names and what they lead to.
import { Table, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";

import { path } from "../../api/client";
import { whole } from "../../api/lists";
import { useApis } from "../../api/names";
import { Loading, Problem, Section } from "../../parts/Page";

interface DomainName {
  domainName: string;
  certificateArn?: string;
  regionalCertificateArn?: string;
  securityPolicy?: string;
}

interface Mapping {
  basePath: string;
  restApiId: string;
  stage?: string;
}

export function DomainNames() {
  const domains = useQuery({
    queryKey: ["domain-names"],
    queryFn: async ({ signal }) => {
      const { items } = await whole<DomainName>("/domainnames", {}, signal);
      return Promise.all(
        items.map(async (domain) => {
          const mappings = await whole<Mapping>(path`/domainnames/${domain.domainName}/basepathmappings`, {}, signal);
          return { domain, mappings: mappings.items };
        }),
      );
    },
  });
  const apis = useApis();
  const name = (id: string) => apis.data?.items.find((api) => api.id === id)?.name ?? id;
  return (
    <Section title="Domain names">
      {domains.error ? (
        <Problem error={domains.error} again={() => void domains.refetch()} />
      ) : !domains.data ? (
        <Loading what="domain names" />
      ) : domains.data.length === 0 ? (
        <Text size="sm">
          None. A domain name of yours is made with the AWS CLI (<code>create-domain-name</code>) or Terraform and leads to a
          stage by a base path mapping.
        </Text>
      ) : (
        <div className="wide">
          <Table aria-label="Domain names">
            <Table.Thead>
              <Table.Tr>
                <Table.Th>Domain name</Table.Th>
                <Table.Th>Base path</Table.Th>
                <Table.Th>Leads to</Table.Th>
              </Table.Tr>
            </Table.Thead>
            <Table.Tbody>
              {domains.data.flatMap(({ domain, mappings }) =>
                (mappings.length > 0 ? mappings : [undefined]).map((mapping) => (
                  <Table.Tr key={`${domain.domainName} ${mapping?.basePath ?? ""}`}>
                    <Table.Td>{domain.domainName}</Table.Td>
                    <Table.Td>{mapping ? <code>{mapping.basePath}</code> : "–"}</Table.Td>
                    <Table.Td>{mapping ? `${name(mapping.restApiId)} / ${mapping.stage ?? "the stage in the path"}` : "nothing yet"}</Table.Td>
                  </Table.Tr>
                )),
              )}
            </Table.Tbody>
          </Table>
        </div>
      )}
    </Section>
  );
}
