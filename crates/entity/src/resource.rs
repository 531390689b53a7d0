//! Resource: one path of an API, with its methods.
//! <https://docs.aws.amazon.com/apigateway/latest/api/API_Resource.html>

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::Method;

/// A path of an API. The root has neither parent nor path part.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Resource {
    /// The API it belongs to; kept beside the JSON, not in it.
    #[serde(skip)]
    pub rest_api_id: String,
    pub id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parent_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path_part: Option<String>,
    /// The whole path with its variables, from `/`.
    pub path: String,
    /// Methods by verb.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub resource_methods: BTreeMap<String, Method>,
}

impl Resource {
    /// `{name+}`: takes the rest of the path, and has no children.
    pub fn is_greedy(&self) -> bool {
        self.path_part.as_deref().is_some_and(|p| p.ends_with("+}"))
    }

    /// `{name}` or `{name+}`.
    pub fn is_variable(&self) -> bool {
        self.path_part
            .as_deref()
            .is_some_and(|p| p.starts_with('{'))
    }
}
