//! Tests of the command line's form.

use clap::CommandFactory;

use super::*;

fn parsed(line: &str) -> Result<Cli, String> {
    Cli::try_parse_from(line.split_whitespace()).map_err(|error| error.to_string())
}

#[test]
fn the_command_line_is_sound() {
    Cli::command().debug_assert();
}

#[test]
fn scripts_can_rely_on_these() {
    for line in [
        "tollgate serve --data-dir d --data-plane 127.0.0.1:1 --control-plane 127.0.0.1:2 --config f --no-auth",
        "tollgate serve",
        "tollgate demo --data-dir d --data-plane 127.0.0.1:1 --control-plane 127.0.0.1:2",
        "tollgate call GetApiKeys --param a=b --param c=d --body {} --endpoint http://x:1 -o table",
        "tollgate keys list --endpoint http://x:1 -o json",
        "tollgate keys create mine --plan free --data-dir d",
        "tollgate keys show k",
        "tollgate keys enable k",
        "tollgate keys disable k l",
        "tollgate keys delete k",
        "tollgate plans list",
        "tollgate plans show p",
        "tollgate plans keys p -o json",
        "tollgate usage p --key k --from 2026-01-01 --to 2026-01-31",
        "tollgate import keys.csv --fail-on-warnings",
        "tollgate check --config f",
        "tollgate version",
    ] {
        assert!(parsed(line).is_ok(), "{line}: {:?}", parsed(line).err());
    }
}

#[test]
fn mistakes_are_refused_with_a_hint() {
    let error = parsed("tollgate serve --data-dri d").err().unwrap();
    assert!(error.contains("--data-dir"), "{error}");
    let error = parsed("tollgate usage p --from yesterday").err().unwrap();
    assert!(error.contains("--from"), "{error}");
    assert!(parsed("tollgate keys enable").is_err());
    assert!(parsed("tollgate nothing").is_err());
}

#[test]
fn flags_carry_their_settings() {
    let Ok(Cli {
        command: Command::Serve(configured),
    }) = parsed("tollgate serve --workers 3 --no-auth")
    else {
        panic!("not understood")
    };
    let given: Vec<_> = configured
        .flags
        .given()
        .into_iter()
        .map(|g| (g.setting.name, g.text, g.source.to_string()))
        .collect();
    let expected = [
        ("auth", "false".to_owned(), "flag --no-auth".to_owned()),
        ("workers", "3".to_owned(), "flag --workers".to_owned()),
    ];
    assert_eq!(given, expected);
}

#[test]
fn help_names_every_setting_with_its_default_and_what_is_allowed() {
    let mut command = Cli::command();
    let help = command
        .find_subcommand_mut("serve")
        .unwrap()
        .render_long_help()
        .to_string();
    for setting in crate::config::settings::SETTINGS {
        let Some(flag) = setting.flag() else { continue };
        let flag = if setting.name == "auth" {
            "--no-auth".into()
        } else {
            format!("--{flag} ")
        };
        assert!(help.contains(&flag), "{flag}");
    }
    assert!(help.contains("[default: 127.0.0.1:8080]"), "{help}");
    assert!(help.contains("TOLLGATE_DATA_PLANE"), "{help}");
}
