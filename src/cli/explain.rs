//! `tollgate explain`: why a call would pass or be refused now, step by step and limit by limit.

use http::Method;
use serde_json::{Value, json};

use super::failed::Failed;
use super::output::{self, cell};
use super::{Asked, api_keys};

/// `tollgate explain`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  tollgate explain abc123defg prod GET /pets --key alice\n\nNothing is taken from any limit."
)]
pub struct Explain {
    /// The API's id, or its name if no other API has it.
    api: String,
    /// The stage's name.
    stage: String,
    /// The call's verb.
    method: String,
    /// The call's path below the stage.
    path: String,
    /// The key (id or name) that the call comes with.
    #[arg(long, value_name = "KEY")]
    key: Option<String>,
    #[command(flatten)]
    asked: Asked,
}

impl Explain {
    pub async fn run(self) -> Result<(), Failed> {
        let client = self.asked.client()?;
        let key_id = match &self.key {
            None => Value::Null,
            Some(key) => api_keys::find(&client, key).await?["id"].take(),
        };
        let mut apis = client.list("/restapis", &[]).await?;
        apis.retain(|api| api["id"] == *self.api || api["name"] == *self.api);
        let api = api_keys::only_one("API", &self.api, apis)?;
        let question = json!({
            "restApiId": api["id"], "stageName": self.stage, "keyId": key_id,
            "httpMethod": self.method.to_uppercase(), "path": self.path,
        });
        let told = client
            .call(
                Method::POST,
                "/tollgate/explain",
                &[],
                question.to_string().into_bytes(),
            )
            .await?;
        match self.asked.is_json() {
            true => output::print_json(&told),
            false => output::print(&text(&told)),
        }
    }
}

/// The verdict, the steps, the limits.
fn text(told: &Value) -> String {
    let mut text = verdict(&told["verdict"]);
    for step in told["steps"].as_array().into_iter().flatten() {
        let mark = if step["passed"] == true { "yes" } else { "NO" };
        text += &format!("\n  {mark:<4} {}", cell(&step["text"]));
    }
    let limits = told["limits"].as_array().map_or(&[][..], Vec::as_slice);
    if !limits.is_empty() {
        let headings = ["LIMIT", "PASSES", "ALLOWS", "LEFT", "NEXT"];
        text += "\n\n";
        text += &output::table(&headings, limits.iter().map(row));
    }
    text
}

fn verdict(verdict: &Value) -> String {
    if verdict["outcome"] == "passes" {
        return "The next such call passes.".to_owned();
    }
    let wait = match verdict["retryAfterS"].as_u64() {
        Some(seconds) => format!("; in {} it would pass", duration(seconds)),
        None => String::new(),
    };
    format!(
        "The next such call is refused with {} ({}){wait}.",
        cell(&verdict["status"]),
        cell(&verdict["reason"])
    )
}

fn row(limit: &Value) -> Vec<String> {
    let (allows, left) = match limit["quotaLimit"].is_null() {
        true => (
            format!(
                "{}/s, burst {}",
                cell(&limit["rateLimit"]),
                cell(&limit["burstLimit"])
            ),
            cell(&limit["available"]),
        ),
        false => (
            format!(
                "{} a {}",
                cell(&limit["quotaLimit"]),
                cell(&limit["period"]).to_lowercase()
            ),
            cell(&limit["remaining"]),
        ),
    };
    let passes = if limit["passed"] == true { "yes" } else { "NO" };
    let next = limit["retryAfterS"].as_u64().map(duration);
    vec![
        cell(&limit["limit"]),
        passes.to_owned(),
        allows,
        left,
        next.map(|wait| format!("in {wait}")).unwrap_or_default(),
    ]
}

/// `5 h 12 min`: the two largest units.
fn duration(seconds: u64) -> String {
    let units = [(86_400, "d"), (3600, "h"), (60, "min"), (1, "s")];
    let mut rest = seconds;
    let mut parts = Vec::new();
    for (size, name) in units {
        if rest >= size {
            parts.push(format!("{} {name}", rest / size));
            rest %= size;
        }
    }
    parts.truncate(2);
    match parts.is_empty() {
        true => "0 s".to_owned(),
        false => parts.join(" "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_is_told_in_its_two_largest_units() {
        let told = [0, 59, 60, 18_720, 90_061].map(duration);
        assert_eq!(told, ["0 s", "59 s", "1 min", "5 h 12 min", "1 d 1 h"]);
    }

    #[test]
    fn steps_and_limits_stand_under_the_verdict() {
        let told = json!({
            "verdict": {"outcome": "refused", "status": 429, "reason": "quota-exceeded", "retryAfterS": 60},
            "steps": [{"step": "stage", "passed": true, "text": "Stage prod serves deployment d1."}],
            "limits": [
                {"limit": "plan-throttle", "passed": true, "rateLimit": 2.5, "burstLimit": 5, "available": 5},
                {"limit": "quota", "passed": false, "quotaLimit": 20, "period": "DAY", "remaining": 0, "retryAfterS": 60},
            ],
        });
        assert_eq!(
            text(&told),
            "The next such call is refused with 429 (quota-exceeded); in 1 min it would pass.
  yes  Stage prod serves deployment d1.

LIMIT          PASSES  ALLOWS          LEFT  NEXT
plan-throttle  yes     2.5/s, burst 5  5
quota          NO      20 a day        0     in 1 min"
        );
    }
}
