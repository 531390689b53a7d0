// An empty gateway: the three steps to a first protected API, each done right here.
import { Alert, Button, Code, Group, List, NumberInput, SegmentedControl, Select, Stack, Text, TextInput, ThemeIcon, Title } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { type ReactNode, useState } from "react";

import { call, path } from "../../api/client";
import { useApis, usePlans, useStatus } from "../../api/names";
import type { ApiKey, Page as ListPage, QuotaPeriod, Resource, RestApi, Stage, UsagePlan } from "../../api/types";
import { useAct } from "../../parts/act";
import { Copy } from "../../parts/Copy";
import { Icon } from "../../parts/Icon";
import { Problem, Section } from "../../parts/Page";
import { Secret } from "../../parts/Secret";
import { PERIODS } from "../../parts/words";
import { EXAMPLE } from "../apis/example";
import { imported } from "../apis/List";

/** A stage that can be called. */
interface Offered {
  api: string;
  name: string;
  stage: string;
}

/** What there is already; undefined until it is known. */
export function useFirstSteps() {
  const apis = useApis();
  const plans = usePlans();
  const offered = useQuery({
    queryKey: ["offered", apis.data?.items.map((api) => api.id)],
    enabled: apis.data !== undefined,
    queryFn: async ({ signal }) => {
      // A gateway with many APIs is past its first steps.
      const first = (apis.data?.items ?? []).slice(0, 20);
      const all = await Promise.all(
        first.map(async (api): Promise<Offered[]> => {
          const stages = await call<{ item: Stage[] }>({ path: path`/restapis/${api.id}/stages`, signal });
          return stages.item.map((stage) => ({ api: api.id, name: api.name, stage: stage.stageName }));
        }),
      );
      return all.flat();
    },
  });
  const keys = useQuery({
    queryKey: ["any-key"],
    queryFn: ({ signal }) => call<ListPage<ApiKey>>({ path: "/apikeys", query: { limit: 1 }, signal }),
  });
  if (!offered.data || !plans.data || !keys.data) return undefined;
  const plan = plans.data.items.find((one) => one.apiStages.length > 0);
  return { offered: offered.data, plan, hasKeys: keys.data.item.length > 0 };
}

export function FirstSteps({ offered, plan, hasKeys }: { offered: Offered[]; plan: UsagePlan | undefined; hasKeys: boolean }) {
  const [made, setMade] = useState<ApiKey>();
  const at = offered[0];
  return (
    <Section title="Three steps to a first protected API">
      <Stack gap="xl">
        <Step number={1} title="Offer an API" done={at !== undefined} summary={at && `${at.name} is called at the stage ${at.stage}.`}>
          <OfferApi />
        </Step>
        <Step number={2} title="Say how much a customer may call" done={plan !== undefined} summary={plan && `The plan ${plan.name} says it.`} waits={!at}>
          {at && <MakePlan offered={offered} />}
        </Step>
        <Step number={3} title="Give a customer a key" done={hasKeys && made === undefined} summary="There are keys." waits={!plan}>
          {made && plan ? <Try made={made} plan={plan} /> : plan && <MakeKey plan={plan} onMade={setMade} />}
        </Step>
      </Stack>
    </Section>
  );
}

function Step({
  number,
  title,
  done,
  summary,
  waits,
  children,
}: {
  number: number;
  title: string;
  done: boolean;
  summary: string | undefined;
  waits?: boolean;
  children: ReactNode;
}) {
  return (
    <Group align="flex-start" wrap="nowrap">
      <ThemeIcon radius="xl" size={30} color={done ? "teal" : waits ? "gray" : "cyan"} variant={waits && !done ? "light" : "filled"}>
        {done ? <Icon name="check" /> : <b>{number}</b>}
      </ThemeIcon>
      <div style={{ flex: 1, minWidth: 0 }}>
        <Title order={3} size="h5" mt={3}>
          {title}
        </Title>
        {done ? <Text size="sm">{summary}</Text> : waits ? <Text size="sm" className="quiet">After step {number - 1}.</Text> : <div style={{ marginTop: 8 }}>{children}</div>}
      </div>
    </Group>
  );
}

type From = "server" | "example";

/** A path that takes everything, and goes on to a server as it came. */
async function proxied(name: string, url: string): Promise<RestApi> {
  const base = url.replace(/\/+$/, "");
  const api = await call<RestApi>({ method: "POST", path: "/restapis", body: { name } });
  try {
    const below = await call<Resource>({ method: "POST", path: path`/restapis/${api.id}/resources/${api.rootResourceId}`, body: { pathPart: "{proxy+}" } });
    const places = [
      { id: api.rootResourceId, uri: `${base}/`, own: {}, mapped: {} },
      {
        id: below.id,
        uri: `${base}/{proxy}`,
        own: { "method.request.path.proxy": true },
        mapped: { "integration.request.path.proxy": "method.request.path.proxy" },
      },
    ];
    for (const { id, uri, own, mapped } of places) {
      const method = path`/restapis/${api.id}/resources/${id}/methods/ANY`;
      await call({ method: "PUT", path: method, body: { authorizationType: "NONE", apiKeyRequired: true, requestParameters: own } });
      const body = { type: "HTTP_PROXY", httpMethod: "ANY", uri, requestParameters: mapped };
      await call({ method: "PUT", path: `${method}/integration`, body });
    }
    return api;
  } catch (error) {
    await call({ method: "DELETE", path: path`/restapis/${api.id}` }).catch(() => undefined);
    throw error;
  }
}

function OfferApi() {
  const [from, setFrom] = useState<From>("server");
  const [name, setName] = useState("");
  const [url, setUrl] = useState("");
  const offer = useAct(async () => {
    const api = from === "server" ? await proxied(name.trim(), url.trim()) : await imported(EXAMPLE);
    await call({ method: "POST", path: path`/restapis/${api.id}/deployments`, body: { stageName: "prod" } });
  }, "The API is deployed at the stage prod, and asks for a key");
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        void offer.run();
      }}
    >
      <Stack maw={560}>
        <SegmentedControl
          aria-label="Which API"
          value={from}
          onChange={(value) => setFrom(value as From)}
          data={[
            { value: "server", label: "A server I have" },
            { value: "example", label: "An example" },
          ]}
        />
        {from === "server" ? (
          <>
            <TextInput label="Name" placeholder="pets" required value={name} onChange={(event) => setName(event.currentTarget.value)} />
            <TextInput
              label="URL of the server"
              description="Everything that is called with a key goes there as it came"
              placeholder="http://127.0.0.1:3000"
              required
              type="url"
              value={url}
              onChange={(event) => setUrl(event.currentTarget.value)}
            />
          </>
        ) : (
          <Text size="sm">Pets, answered by the gateway itself: nothing else need run.</Text>
        )}
        {offer.error !== undefined && <Problem error={offer.error} title="Nothing was made" />}
        <Group>
          <Button type="submit" loading={offer.busy}>
            Offer the API
          </Button>
          <Button variant="subtle" component={Link} to="/apis">
            Or from OpenAPI
          </Button>
        </Group>
      </Stack>
    </form>
  );
}

function MakePlan({ offered }: { offered: Offered[] }) {
  const [name, setName] = useState("free");
  const [rate, setRate] = useState<number | string>(2);
  const [limit, setLimit] = useState<number | string>(20);
  const [period, setPeriod] = useState<QuotaPeriod>("DAY");
  const places = offered.map((one) => ({ value: `${one.api}:${one.stage}`, label: `${one.name} / ${one.stage}` }));
  const [place, setPlace] = useState(places[0]?.value ?? "");
  const make = useAct(async () => {
    const [apiId, stage] = place.split(":");
    const body = {
      name: name.trim(),
      throttle: { rateLimit: rate, burstLimit: Math.max(1, Math.ceil(Number(rate) * 5)) },
      quota: { limit, period, offset: 0 },
      apiStages: [{ apiId, stage }],
    };
    await call<UsagePlan>({ method: "POST", path: "/usageplans", body });
  }, "The plan is made");
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        void make.run();
      }}
    >
      <Stack maw={560}>
        <Group grow>
          <TextInput label="Plan" required value={name} onChange={(event) => setName(event.currentTarget.value)} />
          <Select label="For" data={places} value={place} allowDeselect={false} onChange={(value) => setPlace(value ?? "")} />
        </Group>
        <Group grow align="flex-end">
          <NumberInput label="Requests a second" min={0} required value={rate} onChange={setRate} />
          <NumberInput label="Requests" min={0} allowDecimal={false} required value={limit} onChange={setLimit} />
          <Select
            aria-label="Period"
            allowDeselect={false}
            data={(Object.keys(PERIODS) as QuotaPeriod[]).map((one) => ({ value: one, label: `a ${PERIODS[one]}` }))}
            value={period}
            onChange={(value) => setPeriod((value ?? "DAY") as QuotaPeriod)}
          />
        </Group>
        {make.error !== undefined && <Problem error={make.error} />}
        <Group>
          <Button type="submit" disabled={rate === "" || limit === ""} loading={make.busy}>
            Make the plan
          </Button>
        </Group>
      </Stack>
    </form>
  );
}

function MakeKey({ plan, onMade }: { plan: UsagePlan; onMade: (key: ApiKey) => void }) {
  const [name, setName] = useState("");
  const make = useAct(async () => {
    const key = await call<ApiKey>({ method: "POST", path: "/apikeys", body: { name: name.trim(), enabled: true } });
    onMade(key);
    await call({ method: "POST", path: path`/usageplans/${plan.id}/keys`, body: { keyId: key.id, keyType: "API_KEY" } });
  }, () => undefined);
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        void make.run();
      }}
    >
      <Group align="flex-end" maw={560}>
        <TextInput label="Customer" placeholder="alice" required style={{ flex: 1 }} value={name} onChange={(event) => setName(event.currentTarget.value)} />
        <Button type="submit" loading={make.busy}>
          Make the key
        </Button>
      </Group>
      {make.error !== undefined && <Problem error={make.error} />}
    </form>
  );
}

function Try({ made, plan }: { made: ApiKey; plan: UsagePlan }) {
  const place = plan.apiStages[0];
  const status = useStatus();
  const command = `curl -i -H "x-api-key: ${made.value ?? "VALUE"}" ${status.data?.data_plane ?? ""}/${place?.apiId ?? ""}/${place?.stage ?? ""}/`;
  return (
    <Stack>
      <Alert color="teal" title={`${made.name ?? "The customer"} may call`}>
        <Stack gap="xs">
          <Text size="sm">The value of the key, to be given to the customer:</Text>
          <Secret value={made.value ?? ""} what="the value" shown />
        </Stack>
      </Alert>
      <List size="sm">
        <List.Item>
          Try it on the data plane:
          <Group gap={4} wrap="nowrap" align="flex-start">
            <Code block style={{ whiteSpace: "pre-wrap", flex: 1 }} tabIndex={0} aria-label="Command">
              {command}
            </Code>
            <Copy value={command} what="the command" />
          </Group>
        </List.Item>
        <List.Item>
          Or with the{" "}
          <Link to="/apis/$api" params={{ api: place?.apiId ?? "" }} search={{ tab: "test" }}>
            tester of the API
          </Link>
          .
        </List.Item>
      </List>
    </Stack>
  );
}
