//! What the demo prints: addresses, keys and commands to copy.

use super::example::{Example, FREE, PREMIUM, Plan, STAGE};
use crate::cli::credentials;
use crate::config::Config;
use crate::server::Addresses;

/// What to try, ready to be pasted into a shell.
pub fn instructions(config: &Config, addresses: &Addresses, example: &Example) -> String {
    let api = format!("http://{}/{}/{STAGE}", addresses.data_plane, example.api_id);
    let control = format!("http://{}", addresses.control_plane);
    let credentials = quoted(
        &config
            .data_dir
            .join(credentials::FILE)
            .display()
            .to_string(),
    );
    let (free, premium) = (quoted(&example.free_key), quoted(&example.premium_key));
    let data_dir = config.data_dir.display();
    let export = match config.auth {
        true => format!("export AWS_SHARED_CREDENTIALS_FILE={credentials}"),
        false => {
            "export AWS_ACCESS_KEY_ID=none AWS_SECRET_ACCESS_KEY=none   # not checked".to_owned()
        }
    };
    let region = &config.region;
    let (free_plan, premium_plan) = (plan(&FREE), plan(&PREMIUM));
    format!(
        "
Tollgate demo is running; Ctrl-C stops it. Everything is kept in {data_dir}

  data plane     http://{}
  control plane  {control}

  {free_plan}  key {}
  {premium_plan}  key {}

200, open to everybody:
  curl -i {api}/health

403, a key is required:
  curl -i {api}/pets

200, with the key of the premium plan:
  curl -i -H x-api-key:{premium} {api}/pets
  curl -i -H x-api-key:{premium} {api}/pets/1

429 Too Many Requests, faster than the free plan's rate once its burst is spent:
  for i in $(seq 15); do curl -s -H x-api-key:{free} {api}/pets/1; echo; done

429 Limit Exceeded, slow enough for the rate but over the free plan's quota:
  for i in $(seq 25); do curl -s -H x-api-key:{free} {api}/pets/1; echo; sleep 0.6; done

Look around, and change things, with AWS's own tools or Tollgate's:
  {export}
  export AWS_DEFAULT_REGION={region} TOLLGATE_ENDPOINT={control}
  aws --endpoint-url {control} apigateway get-usage-plans
  {program} usage {}
  {program} keys list --values
",
        addresses.data_plane,
        example.free_key,
        example.premium_key,
        FREE.name,
        program = program(),
    )
}

/// A plan's limits in one line.
fn plan(plan: &Plan) -> String {
    let quota = format!("{} a {}", thousands(plan.quota), plan.period.to_lowercase());
    format!(
        "plan {:<8}{:>4}/s, burst {:>3}, {quota:<18}",
        plan.name, plan.rate_limit, plan.burst_limit
    )
}

/// A number with commas between its thousands.
fn thousands(number: u32) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// How this program was called, so that the commands work where it is not installed.
fn program() -> String {
    let path = std::env::args().next().filter(|path| !path.is_empty());
    quoted(path.as_deref().unwrap_or("tollgate"))
}

/// A word for a shell, in quotes if it needs them.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+:=@%,".contains(c);
    match !word.is_empty() && word.chars().all(plain) {
        true => word.to_owned(),
        false => format!("'{}'", word.replace('\'', "'\\''")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_to_try_is_there_and_can_be_pasted() {
        let config = Config {
            data_dir: "/tmp/my demo".into(),
            auth: true,
            region: "us-east-1".into(),
            ..Config::default()
        };
        let addresses = Addresses {
            tls: None,
            data_plane: "127.0.0.1:8080".parse().unwrap(),
            control_plane: "127.0.0.1:8081".parse().unwrap(),
        };
        let example = Example {
            api_id: "a1".into(),
            free_key: "freekey".into(),
            premium_key: "premiumkey".into(),
        };
        let text = instructions(&config, &addresses, &example);
        for line in [
            "  plan free       2/s, burst  10, 20 a day            key freekey",
            "  plan premium  100/s, burst 200, 1,000,000 a month   key premiumkey",
            "  curl -i http://127.0.0.1:8080/a1/prod/health",
            "  curl -i http://127.0.0.1:8080/a1/prod/pets",
            "  curl -i -H x-api-key:premiumkey http://127.0.0.1:8080/a1/prod/pets",
            "  export AWS_SHARED_CREDENTIALS_FILE='/tmp/my demo/credentials'",
            "  aws --endpoint-url http://127.0.0.1:8081 apigateway get-usage-plans",
        ] {
            assert!(text.lines().any(|other| other == line), "{line}\n{text}");
        }
    }

    #[test]
    fn words_are_quoted_for_a_shell() {
        assert_eq!(quoted("/a/b-1.c"), "/a/b-1.c");
        assert_eq!(quoted("it's $HOME"), "'it'\\''s $HOME'");
        assert_eq!(quoted(""), "''");
    }
}
