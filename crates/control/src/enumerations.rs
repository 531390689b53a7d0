//! AWS's enumerations, in the order its refusals list them; a test compares them with AWS's own model.

use crate::{authorizer, documentation_part, gateway_response, integration, stage};

pub(crate) const API_KEY_SOURCES: [&str; 2] = ["HEADER", "AUTHORIZER"];
pub(crate) const BASE_PATHS_ONLY: &str = "BASE_PATH_MAPPING_ONLY";
pub(crate) const ENDPOINT_ACCESS_MODES: [&str; 2] = ["BASIC", "STRICT"];
pub(crate) const ENDPOINT_TYPES: [&str; 3] = ["PRIVATE", "EDGE", "REGIONAL"];
pub(crate) const IP_ADDRESS_TYPES: [&str; 2] = ["ipv4", "dualstack"];
pub(crate) const LOCATION_STATUSES: [&str; 2] = ["DOCUMENTED", "UNDOCUMENTED"];
pub(crate) const ROUTING_MODES: [&str; 3] = [
    BASE_PATHS_ONLY,
    "ROUTING_RULE_ONLY",
    "ROUTING_RULE_THEN_BASE_PATH_MAPPING",
];
pub(crate) const SECURITY_POLICIES: [&str; 14] = [
    "TLS_1_0",
    "TLS_1_2",
    "SecurityPolicy_TLS13_1_3_2025_09",
    "SecurityPolicy_TLS13_1_3_FIPS_2025_09",
    "SecurityPolicy_TLS13_1_2_PFS_PQ_2025_09",
    "SecurityPolicy_TLS13_1_2_FIPS_PQ_2025_09",
    "SecurityPolicy_TLS13_1_2_FIPS_PFS_PQ_2025_09",
    "SecurityPolicy_TLS13_1_2_Ext2_PQ_2025_09",
    "SecurityPolicy_TLS13_1_2_Ext2_FIPS_PQ_2025_09",
    "SecurityPolicy_TLS13_1_2_PQ_2025_09",
    "SecurityPolicy_TLS13_1_2_2021_06",
    "SecurityPolicy_TLS13_2025_EDGE",
    "SecurityPolicy_TLS12_PFS_2025_EDGE",
    "SecurityPolicy_TLS12_2018_EDGE",
];

/// All of them by the names AWS's model has for them.
pub static ENUMERATIONS: &[(&str, &[&str])] = &[
    ("ApiKeySourceType", &API_KEY_SOURCES),
    ("AuthorizerType", &authorizer::TYPES),
    ("CacheClusterSize", &stage::CACHE_CLUSTER_SIZES),
    ("ConnectionType", &integration::CONNECTION_TYPES),
    ("ContentHandlingStrategy", &integration::CONTENT_HANDLINGS),
    (
        "DocumentationPartType",
        &documentation_part::location::TYPES,
    ),
    ("EndpointAccessMode", &ENDPOINT_ACCESS_MODES),
    ("EndpointType", &ENDPOINT_TYPES),
    ("GatewayResponseType", &gateway_response::TYPES),
    ("IntegrationType", &integration::TYPES),
    ("IpAddressType", &IP_ADDRESS_TYPES),
    ("LocationStatusType", &LOCATION_STATUSES),
    ("ResponseTransferMode", &integration::TRANSFER_MODES),
    ("RoutingMode", &ROUTING_MODES),
    ("SecurityPolicy", &SECURITY_POLICIES),
    (
        "UnauthorizedCacheControlHeaderStrategy",
        &stage::update::CACHE_STRATEGIES,
    ),
];
