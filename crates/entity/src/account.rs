//! Account: the settings of the whole installation.
//! <https://docs.aws.amazon.com/apigateway/latest/api/API_Account.html>

use serde::{Deserialize, Serialize};

/// What an administrator can change of the account; the rest of AWS's answer is fixed.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Account {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cloudwatch_role_arn: Option<String>,
}
