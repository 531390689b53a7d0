//! `tollgate plans`: show usage plans and their keys.

use clap::Subcommand;
use serde_json::{Value, json};

use super::Asked;
use super::api_keys::only_one;
use super::client::{Client, encode};
use super::failed::Failed;
use super::output::{self, cell};

/// The subcommands of `tollgate plans`.
#[derive(Debug, Subcommand)]
pub enum Plans {
    /// List plans with their limits and stages
    List {
        #[command(flatten)]
        asked: Asked,
    },
    /// Show a plan
    Show {
        /// The plan's id, or its name if no other plan has it.
        plan: String,
        #[command(flatten)]
        asked: Asked,
    },
    /// List the keys of a plan, newest first
    Keys {
        /// The plan's id, or its name if no other plan has it.
        plan: String,
        /// Show the keys' values.
        #[arg(long)]
        values: bool,
        #[command(flatten)]
        asked: Asked,
    },
}

impl Plans {
    pub async fn run(self) -> Result<(), Failed> {
        match self {
            Plans::List { asked } => list(asked).await,
            Plans::Show { plan, asked } => show(&plan, asked).await,
            Plans::Keys {
                plan,
                values,
                asked,
            } => keys(&plan, values, asked).await,
        }
    }
}

async fn list(asked: Asked) -> Result<(), Failed> {
    let plans = asked.client()?.list("/usageplans", &[]).await?;
    match asked.is_json() {
        true => output::print_json(&json!(plans)),
        false => output::print(&output::table(
            &["ID", "NAME", "RATE", "BURST", "QUOTA", "STAGES"],
            plans.iter().map(row),
        )),
    }
}

async fn show(plan: &str, asked: Asked) -> Result<(), Failed> {
    let plan = find(&asked.client()?, plan).await?;
    match asked.is_json() {
        true => output::print_json(&plan),
        false => output::print(&output::generic(&plan)),
    }
}

async fn keys(plan: &str, values: bool, asked: Asked) -> Result<(), Failed> {
    let client = asked.client()?;
    let id = cell(&find(&client, plan).await?["id"]);
    let mut keys = keys_of(&client, &id).await?;
    if !values {
        for key in keys.iter_mut().filter_map(Value::as_object_mut) {
            key.remove("value");
        }
    }
    if asked.is_json() {
        return output::print_json(&json!(keys));
    }
    let mut headings = vec!["ID", "NAME"];
    headings.extend(values.then_some("VALUE"));
    let members: &[&str] = if values {
        &["id", "name", "value"]
    } else {
        &["id", "name"]
    };
    let rows = keys
        .iter()
        .map(|key| members.iter().map(|member| cell(&key[*member])).collect());
    output::print(&output::table(&headings, rows))
}

/// The keys of the plan with that id, with their values.
pub async fn keys_of(client: &Client, plan_id: &str) -> Result<Vec<Value>, Failed> {
    client
        .list(&format!("/usageplans/{}/keys", encode(plan_id)), &[])
        .await
}

/// The plan with that id, or the only one with that name.
pub async fn find(client: &Client, plan: &str) -> Result<Value, Failed> {
    match client
        .get(&format!("/usageplans/{}", encode(plan)), &[])
        .await
    {
        Err(failed) if failed.is_not_found() => {}
        found => return found,
    }
    let mut plans = client.list("/usageplans", &[]).await?;
    plans.retain(|other| other["name"] == plan);
    only_one("plan", plan, plans)
}

fn row(plan: &Value) -> Vec<String> {
    let limit = |value: &Value, unit: &str| match value {
        Value::Null => "unlimited".to_owned(),
        value => format!("{}{unit}", number(value)),
    };
    let quota = match &plan["quota"] {
        Value::Null => "unlimited".to_owned(),
        quota => format!(
            "{} a {}",
            cell(&quota["limit"]),
            cell(&quota["period"]).to_lowercase()
        ),
    };
    let stages = plan["apiStages"].as_array().into_iter().flatten();
    let stages: Vec<_> = stages
        .map(|stage| format!("{}:{}", cell(&stage["apiId"]), cell(&stage["stage"])))
        .collect();
    let throttle = &plan["throttle"];
    vec![
        cell(&plan["id"]),
        cell(&plan["name"]),
        limit(&throttle["rateLimit"], "/s"),
        limit(&throttle["burstLimit"], ""),
        quota,
        stages.join(", "),
    ]
}

/// A number without a fraction that is zero: rates are decimals on the wire.
fn number(value: &Value) -> String {
    value
        .as_f64()
        .map_or_else(|| cell(value), |number| number.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_shows_its_limits_and_what_is_unlimited() {
        let plan = json!({
            "id": "p1", "name": "free", "apiStages": [{"apiId": "a1", "stage": "prod"}, {"apiId": "a2", "stage": "v1"}],
            "throttle": {"rateLimit": 2.5, "burstLimit": 10}, "quota": {"limit": 20, "offset": 0, "period": "DAY"},
        });
        assert_eq!(
            row(&plan),
            ["p1", "free", "2.5/s", "10", "20 a day", "a1:prod, a2:v1"]
        );
        assert_eq!(
            row(&json!({"id": "p2", "name": "x"})),
            ["p2", "x", "unlimited", "unlimited", "unlimited", ""]
        );
    }
}
