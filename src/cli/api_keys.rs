//! `tollgate keys`: list, create and change API keys.

use clap::Subcommand;
use http::Method;
use serde_json::{Value, json};

use super::client::{Client, encode};
use super::failed::Failed;
use super::output::{self, cell};
use super::{Asked, plans};

/// The subcommands of `tollgate keys`.
#[derive(Debug, Subcommand)]
pub enum Keys {
    /// List keys, newest first
    List {
        /// Only keys whose names begin so.
        #[arg(long, value_name = "PREFIX")]
        name: Option<String>,
        /// Only keys of this customer.
        #[arg(long, value_name = "ID")]
        customer_id: Option<String>,
        /// Show the keys' values.
        #[arg(long)]
        values: bool,
        #[command(flatten)]
        asked: Asked,
    },
    /// Create a key, enabled unless told otherwise, and show its value
    Create(Create),
    /// Show a key and its plans
    Show {
        /// The key's id, or its name if no other key has it.
        key: String,
        /// Show the key's value.
        #[arg(long)]
        value: bool,
        #[command(flatten)]
        asked: Asked,
    },
    /// Enable keys
    Enable(Named),
    /// Disable keys: when this returns, nothing more is admitted with them
    Disable(Named),
    /// Delete keys
    Delete(Named),
}

/// A new key.
#[derive(Debug, clap::Args)]
pub struct Create {
    name: String,
    /// 20 to 128 characters, or - to read them from stdin; made at random if absent.
    #[arg(long)]
    value: Option<String>,
    #[arg(long)]
    description: Option<String>,
    #[arg(long, value_name = "ID")]
    customer_id: Option<String>,
    /// Add the key to this plan (id or name); can be repeated.
    #[arg(long = "plan", value_name = "PLAN")]
    plans: Vec<String>,
    /// Create it disabled.
    #[arg(long)]
    disabled: bool,
    #[command(flatten)]
    asked: Asked,
}

/// Keys by id, or by a name that no other key has.
#[derive(Debug, clap::Args)]
pub struct Named {
    #[arg(required = true, value_name = "KEY")]
    keys: Vec<String>,
    #[command(flatten)]
    asked: Asked,
}

impl Keys {
    pub async fn run(self) -> Result<(), Failed> {
        match self {
            Keys::List {
                name,
                customer_id,
                values,
                asked,
            } => list(name, customer_id, values, asked).await,
            Keys::Create(create) => create.run().await,
            Keys::Show { key, value, asked } => show(&key, value, asked).await,
            Keys::Enable(named) => named.set_enabled(true).await,
            Keys::Disable(named) => named.set_enabled(false).await,
            Keys::Delete(named) => named.delete().await,
        }
    }
}

async fn list(
    name: Option<String>,
    customer_id: Option<String>,
    values: bool,
    asked: Asked,
) -> Result<(), Failed> {
    let mut query = vec![];
    query.extend(name.map(|name| ("name".to_owned(), name)));
    query.extend(customer_id.map(|id| ("customerId".to_owned(), id)));
    query.extend(values.then(|| ("includeValues".to_owned(), "true".to_owned())));
    let keys = asked.client()?.list("/apikeys", &query).await?;
    if asked.is_json() {
        return output::print_json(&json!(keys));
    }
    let mut headings = vec!["ID", "NAME", "ENABLED", "CREATED"];
    headings.extend(values.then_some("VALUE"));
    output::print(&output::table(
        &headings,
        keys.iter().map(|key| row(key, values)),
    ))
}

fn row(key: &Value, values: bool) -> Vec<String> {
    let mut row = vec![
        cell(&key["id"]),
        cell(&key["name"]),
        cell(&key["enabled"]),
        time(&key["createdDate"]),
    ];
    row.extend(values.then(|| cell(&key["value"])));
    row
}

/// Epoch seconds as a date and time in UTC.
fn time(seconds: &Value) -> String {
    let at = seconds
        .as_f64()
        .and_then(|seconds| jiff::Timestamp::from_second(seconds as i64).ok());
    at.map_or_else(String::new, |at| {
        at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
    })
}

impl Create {
    async fn run(self) -> Result<(), Failed> {
        let client = self.asked.client()?;
        // Plans first: a mistyped plan must not leave a key behind.
        let mut plan_ids = vec![];
        for plan in &self.plans {
            plan_ids.push(cell(&plans::find(&client, plan).await?["id"]));
        }
        let value = match self.value.as_deref() {
            Some("-") => Some(
                super::call::stdin_text()?
                    .trim_end_matches(['\r', '\n'])
                    .to_owned(),
            ),
            other => other.map(str::to_owned),
        };
        let mut body = json!({"name": self.name, "enabled": !self.disabled});
        let optional = [
            ("value", &value),
            ("description", &self.description),
            ("customerId", &self.customer_id),
        ];
        for (member, text) in optional {
            if let Some(text) = text {
                body[member] = json!(text);
            }
        }
        let key = client
            .call(Method::POST, "/apikeys", &[], body.to_string().into_bytes())
            .await?;
        let id = cell(&key["id"]);
        for plan in &plan_ids {
            let body = json!({"keyId": id, "keyType": "API_KEY"})
                .to_string()
                .into_bytes();
            let path = format!("/usageplans/{}/keys", encode(plan));
            let added = client.call(Method::POST, &path, &[], body).await;
            added.map_err(|failed| {
                Failed::Failed(format!(
                    "key {id} was created, but not added to plan {plan}: {failed}"
                ))
            })?;
        }
        match self.asked.is_json() {
            true => output::print_json(&key),
            false => output::print(&output::table(
                &["ID", "NAME", "ENABLED", "CREATED", "VALUE"],
                [row(&key, true)],
            )),
        }
    }
}

async fn show(key: &str, value: bool, asked: Asked) -> Result<(), Failed> {
    let client = asked.client()?;
    let id = cell(&find(&client, key).await?["id"]);
    let query = [("includeValue".to_owned(), value.to_string())];
    let mut key = client.get(&path(&id), &query).await?;
    let plans = client
        .list("/usageplans", &[("keyId".to_owned(), id)])
        .await?;
    if asked.is_json() {
        key["usagePlans"] = plans
            .iter()
            .map(|plan| json!({"id": plan["id"], "name": plan["name"]}))
            .collect();
        return output::print_json(&key);
    }
    for member in ["createdDate", "lastUpdatedDate"] {
        key[member] = json!(time(&key[member]));
    }
    let names: Vec<_> = plans
        .iter()
        .map(|plan| format!("{} ({})", cell(&plan["name"]), cell(&plan["id"])))
        .collect();
    key["usagePlans"] = json!(names.join(", "));
    output::print(&output::generic(&key))
}

impl Named {
    async fn set_enabled(self, enabled: bool) -> Result<(), Failed> {
        let client = self.asked.client()?;
        let patch = json!({"patchOperations": [{"op": "replace", "path": "/enabled", "value": enabled.to_string()}]});
        let mut changed = vec![];
        for key in &self.keys {
            let id = cell(&find(&client, key).await?["id"]);
            changed.push(
                client
                    .call(
                        Method::PATCH,
                        &path(&id),
                        &[],
                        patch.to_string().into_bytes(),
                    )
                    .await?,
            );
        }
        match self.asked.is_json() {
            true => output::print_json(&json!(changed)),
            false => output::print(&output::table(
                &["ID", "NAME", "ENABLED", "CREATED"],
                changed.iter().map(|key| row(key, false)),
            )),
        }
    }

    async fn delete(self) -> Result<(), Failed> {
        let client = self.asked.client()?;
        let mut ids = vec![];
        for key in &self.keys {
            let id = cell(&find(&client, key).await?["id"]);
            client.call(Method::DELETE, &path(&id), &[], vec![]).await?;
            if !self.asked.is_json() {
                output::print(&format!("deleted {id}"))?;
            }
            ids.push(id);
        }
        match self.asked.is_json() {
            true => output::print_json(&json!({"deleted": ids})),
            false => Ok(()),
        }
    }
}

fn path(id: &str) -> String {
    format!("/apikeys/{}", encode(id))
}

/// The key with that id, or the only one with that name.
pub async fn find(client: &Client, key: &str) -> Result<Value, Failed> {
    match client.get(&path(key), &[]).await {
        Err(failed) if failed.is_not_found() => {}
        found => return found,
    }
    let mut keys = client
        .list("/apikeys", &[("name".to_owned(), key.to_owned())])
        .await?;
    keys.retain(|other| other["name"] == key);
    only_one("key", key, keys)
}

/// The only element, or an error that says what there is.
pub fn only_one(kind: &str, name: &str, mut found: Vec<Value>) -> Result<Value, Failed> {
    match (found.pop(), found.is_empty()) {
        (Some(one), true) => Ok(one),
        (None, _) => Err(Failed::Failed(format!(
            "there is no {kind} with the id or name \"{name}\""
        ))),
        (Some(last), false) => {
            let ids: Vec<_> = found
                .iter()
                .chain([&last])
                .map(|one| cell(&one["id"]))
                .collect();
            Err(Failed::Failed(format!(
                "several {kind}s are called \"{name}\"; give one of the ids {}",
                ids.join(", ")
            )))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_must_be_the_only_one() {
        let key = |id: &str| json!({"id": id});
        assert_eq!(only_one("key", "a", vec![key("1")]).unwrap(), key("1"));
        let none = only_one("key", "a", vec![]).unwrap_err().to_string();
        assert_eq!(none, "there is no key with the id or name \"a\"");
        let two = only_one("plan", "a", vec![key("1"), key("2")])
            .unwrap_err()
            .to_string();
        assert_eq!(
            two,
            "several plans are called \"a\"; give one of the ids 1, 2"
        );
    }

    #[test]
    fn times_are_readable() {
        assert_eq!(time(&json!(1_700_000_000)), "2023-11-14T22:13:20Z");
        assert_eq!(time(&Value::Null), "");
    }
}
