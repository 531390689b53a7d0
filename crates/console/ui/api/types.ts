// AWS's nouns as they travel, and Tollgate's own; only the members that the console reads.

/** Seconds since 1970. */
export type Timestamp = number;
export type Tags = Record<string, string>;

/** A page of a list; `position` is absent on the last. */
export interface Page<T> {
  item: T[];
  position?: string;
}

export interface PatchOperation {
  op: "add" | "remove" | "replace" | "copy";
  path: string;
  value?: string;
  from?: string;
}

export interface ApiKey {
  id: string;
  value?: string;
  name?: string;
  description?: string;
  customerId?: string;
  enabled: boolean;
  createdDate: Timestamp;
  lastUpdatedDate: Timestamp;
  stageKeys: string[];
  tags?: Tags;
}

export interface ThrottleSettings {
  rateLimit?: number;
  burstLimit?: number;
}

export type QuotaPeriod = "DAY" | "WEEK" | "MONTH";

export interface QuotaSettings {
  limit: number;
  offset: number;
  period: QuotaPeriod;
}

export interface ApiStage {
  apiId: string;
  stage: string;
  throttle?: Record<string, ThrottleSettings>;
}

export interface UsagePlan {
  id: string;
  name: string;
  description?: string;
  apiStages: ApiStage[];
  throttle?: ThrottleSettings;
  quota?: QuotaSettings;
  productCode?: string;
  tags?: Tags;
}

export interface UsagePlanKey {
  id: string;
  type: string;
  value?: string;
  name?: string;
}

/** By key id a pair of used and remaining for each day. */
export interface Usage {
  usagePlanId: string;
  startDate: string;
  endDate: string;
  values: Record<string, [number, number][]>;
  position?: string;
}

export interface RestApi {
  id: string;
  name: string;
  description?: string;
  createdDate: Timestamp;
  version?: string;
  warnings?: string[];
  binaryMediaTypes?: string[];
  minimumCompressionSize?: number;
  apiKeySource: "HEADER" | "AUTHORIZER";
  endpointConfiguration: { types: string[] };
  disableExecuteApiEndpoint: boolean;
  rootResourceId: string;
  tags?: Tags;
}

export interface Resource {
  id: string;
  parentId?: string;
  pathPart?: string;
  path: string;
  resourceMethods?: Record<string, Method>;
}

export interface Method {
  httpMethod: string;
  authorizationType: string;
  authorizerId?: string;
  apiKeyRequired: boolean;
  operationName?: string;
  requestValidatorId?: string;
  requestParameters?: Record<string, boolean>;
  requestModels?: Record<string, string>;
  methodResponses?: Record<string, MethodResponse>;
  methodIntegration?: Integration;
}

export interface MethodResponse {
  statusCode: string;
  responseParameters?: Record<string, boolean>;
  responseModels?: Record<string, string>;
}

export type IntegrationType = "HTTP" | "HTTP_PROXY" | "MOCK" | "AWS" | "AWS_PROXY";

export interface Integration {
  type: IntegrationType;
  httpMethod?: string;
  uri?: string;
  connectionType?: string;
  requestParameters?: Record<string, string>;
  requestTemplates?: Record<string, string | null>;
  passthroughBehavior?: string;
  contentHandling?: string;
  timeoutInMillis: number;
  integrationResponses?: Record<string, IntegrationResponse>;
}

export interface IntegrationResponse {
  statusCode: string;
  selectionPattern?: string;
  responseParameters?: Record<string, string>;
  responseTemplates?: Record<string, string | null>;
}

export interface Deployment {
  id: string;
  description?: string;
  createdDate: Timestamp;
  apiSummary?: Record<string, Record<string, { authorizationType: string; apiKeyRequired: boolean }>>;
}

export interface MethodSetting {
  throttlingBurstLimit?: number;
  throttlingRateLimit?: number;
  metricsEnabled?: boolean;
  cachingEnabled?: boolean;
}

export interface Stage {
  stageName: string;
  deploymentId: string;
  description?: string;
  variables?: Record<string, string>;
  methodSettings: Record<string, MethodSetting>;
  accessLogSettings?: { format?: string; destinationArn?: string };
  tracingEnabled: boolean;
  tags?: Tags;
  createdDate: Timestamp;
  lastUpdatedDate: Timestamp;
}

export interface Imported {
  ids: string[];
  warnings?: string[];
}

export interface Status {
  version: string;
  guarantee: string;
  /** `http://127.0.0.1:8080` */
  data_plane: string;
  phase: string;
  uptime_s: number;
  ledger: string;
}

export interface AccessKey {
  accessKeyId: string;
  label: string;
  createdDate: Timestamp;
  current: boolean;
  secretAccessKey?: string;
}

export interface Change {
  revision: number;
  at: Timestamp;
  who: string;
  operation: string;
  requestId: string;
  sourceIp: string;
  what: unknown;
}

export interface LiveSecond {
  at: Timestamp;
  answered: number;
  failed: number;
  forbidden: number;
  limited: number;
  refused: number;
}

export interface Live {
  at: Timestamp;
  seconds: LiveSecond[];
  refusals: Record<string, number>;
  topKeys: { apiKeyId: string; calls: number; limited: number }[];
  topKeysCalls: number;
  topKeysS: number;
  connections: number;
  calls: number;
}

export interface Explanation {
  verdict: { outcome: "passes" | "refused"; status?: number; reason?: string; retryAfterS?: number };
  steps: { step: string; passed: boolean; text: string }[];
  limits: LimitNow[];
  usagePlanId?: string;
  resourcePath?: string;
}

export interface LimitNow {
  limit: string;
  passed: boolean;
  rateLimit?: number;
  burstLimit?: number;
  available?: number;
  quotaLimit?: number;
  period?: QuotaPeriod;
  remaining?: number;
  resetsAt?: Timestamp;
  retryAfterS?: number;
}

export interface Tried {
  status: number;
  headers: [string, string][];
  body: string;
  isBase64Encoded: boolean;
  truncated: boolean;
  latencyMs: number;
}
