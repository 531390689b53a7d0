//! `tollgate usage`: what the keys of a plan used and have left, day by day.

use std::collections::BTreeMap;

use jiff::ToSpan;
use jiff::civil::Date;
use serde_json::{Value, json};

use super::client::encode;
use super::failed::Failed;
use super::output::{self, cell};
use super::{Asked, api_keys, plans};

/// Days that are shown when no first day is given: a week, today included.
const DAYS_BY_DEFAULT: i64 = 7;

/// `tollgate usage`.
#[derive(Debug, clap::Args)]
pub struct Usage {
    /// The plan's id, or its name if no other plan has it.
    plan: String,
    /// Only this key (id or name).
    #[arg(long, value_name = "KEY")]
    key: Option<String>,
    /// First day, in UTC [default: six days before the last].
    #[arg(long, value_name = "YYYY-MM-DD")]
    from: Option<Date>,
    /// Last day, in UTC [default: today].
    #[arg(long, value_name = "YYYY-MM-DD")]
    to: Option<Date>,
    #[command(flatten)]
    asked: Asked,
}

impl Usage {
    pub async fn run(self) -> Result<(), Failed> {
        let today = jiff::Timestamp::now()
            .to_zoned(jiff::tz::TimeZone::UTC)
            .date();
        let (from, to) = days(self.from, self.to, today)?;
        let client = self.asked.client()?;
        let plan_id = cell(&plans::find(&client, &self.plan).await?["id"]);
        let mut query = vec![
            ("startDate".to_owned(), from.to_string()),
            ("endDate".to_owned(), to.to_string()),
        ];
        if let Some(key) = &self.key {
            query.push((
                "keyId".to_owned(),
                cell(&api_keys::find(&client, key).await?["id"]),
            ));
        }
        let path = format!("/usageplans/{}/usage", encode(&plan_id));
        let mut values = serde_json::Map::new();
        let mut position = None;
        loop {
            let mut page = client.page(&path, &query, position.as_deref()).await?;
            if let Value::Object(more) = page["values"].take() {
                values.extend(more);
            }
            match page["position"].take() {
                Value::String(next) => position = Some(next),
                _ => break,
            }
        }
        if self.asked.is_json() {
            let usage = json!({"usagePlanId": plan_id, "startDate": from.to_string(), "endDate": to.to_string(), "values": values});
            return output::print_json(&usage);
        }
        let keys = plans::keys_of(&client, &plan_id).await?;
        let names = keys
            .iter()
            .map(|key| (cell(&key["id"]), cell(&key["name"])))
            .collect();
        output::print(&output::table(
            &["KEY", "NAME", "DAY", "USED", "REMAINING"],
            rows(&values, &names, from),
        ))
    }
}

/// The first and the last day.
fn days(from: Option<Date>, to: Option<Date>, today: Date) -> Result<(Date, Date), Failed> {
    let to = to.unwrap_or(today);
    let from = match from {
        Some(from) => from,
        None => to
            .checked_sub((DAYS_BY_DEFAULT - 1).days())
            .map_err(|error| Failed::Usage(error.to_string()))?,
    };
    match from <= to {
        true => Ok((from, to)),
        false => Err(Failed::Usage(format!("--from {from} is after --to {to}"))),
    }
}

/// One row for each key and day.
fn rows(
    values: &serde_json::Map<String, Value>,
    names: &BTreeMap<String, String>,
    from: Date,
) -> Vec<Vec<String>> {
    let mut rows = vec![];
    for (key, days) in values {
        let name = names.get(key).cloned().unwrap_or_default();
        for (day, pair) in from
            .series(1.day())
            .zip(days.as_array().into_iter().flatten())
        {
            rows.push(vec![
                key.clone(),
                name.clone(),
                day.to_string(),
                cell(&pair[0]),
                cell(&pair[1]),
            ]);
        }
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    fn date(text: &str) -> Date {
        text.parse().unwrap()
    }

    #[test]
    fn a_week_up_to_today_is_the_default() {
        let today = date("2026-03-02");
        assert_eq!(
            days(None, None, today).unwrap(),
            (date("2026-02-24"), today)
        );
        assert_eq!(
            days(None, Some(date("2026-01-08")), today).unwrap(),
            (date("2026-01-02"), date("2026-01-08"))
        );
        let wrong = days(Some(date("2026-03-03")), None, today)
            .unwrap_err()
            .to_string();
        assert_eq!(wrong, "--from 2026-03-03 is after --to 2026-03-02");
    }

    #[test]
    fn each_key_has_a_row_a_day() {
        let values = json!({"k1": [[3, 17], [0, 20]], "k2": [[1, 19], [2, 18]]});
        let names = BTreeMap::from([("k1".to_owned(), "one".to_owned())]);
        let text = output::table(
            &["KEY", "NAME", "DAY", "USED", "REMAINING"],
            rows(values.as_object().unwrap(), &names, date("2026-02-28")),
        );
        let expected = "KEY  NAME  DAY         USED  REMAINING\n\
                        k1   one   2026-02-28  3     17\n\
                        k1   one   2026-03-01  0     20\n\
                        k2         2026-02-28  1     19\n\
                        k2         2026-03-01  2     18";
        assert_eq!(text, expected);
    }
}
