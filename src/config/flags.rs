//! The table of settings as command-line flags.

use clap::{Arg, ArgAction, ArgMatches, Args, Command, FromArgMatches};

use super::layers::{Given, Source};
use super::settings::{SETTINGS, Setting};

/// Settings that stand in the short help, `-h`; `--help` has them all.
const IN_SHORT_HELP: &[&str] = &["data_dir", "data_plane", "control_plane", "auth"];

/// What was given on the command line.
#[derive(Default)]
pub struct Flags(Vec<Given>);

impl Flags {
    pub fn given(self) -> Vec<Given> {
        self.0
    }
}

impl Args for Flags {
    fn augment_args(command: Command) -> Command {
        SETTINGS.iter().filter_map(arg).fold(command, Command::arg)
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for Flags {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Flags, clap::Error> {
        let mut flags = Flags::default();
        flags.update_from_arg_matches(matches)?;
        Ok(flags)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        self.0.extend(
            SETTINGS
                .iter()
                .filter_map(|setting| given(setting, matches)),
        );
        Ok(())
    }
}

/// The flag of a setting. `auth` can only be turned off on the command line, so its flag is `--no-auth`.
fn arg(setting: &'static Setting) -> Option<Arg> {
    let flag = setting.flag()?;
    let arg = Arg::new(setting.name).hide_short_help(!IN_SHORT_HELP.contains(&setting.name));
    if setting.name == "auth" {
        return Some(
            arg.long("no-auth")
                .help("Ask for no signatures on the control plane; on loopback only")
                .action(ArgAction::SetTrue),
        );
    }
    let help = match setting.default {
        Some(default) if !default.is_empty() => format!("{} [default: {default}]", setting.doc),
        _ => setting.doc.to_owned(),
    };
    let long_help = format!(
        "{help}\nAllowed: {}. Environment: {}.",
        setting.kind.allowed(),
        setting.variable()
    );
    Some(
        arg.long(flag)
            .value_name(setting.kind.placeholder())
            .help(help)
            .long_help(long_help),
    )
}

fn given(setting: &'static Setting, matches: &ArgMatches) -> Option<Given> {
    let flag = setting.flag()?;
    if setting.name == "auth" {
        let off = matches.get_flag(setting.name);
        return off.then(|| Given {
            setting,
            text: "false".into(),
            source: Source::Flag("--no-auth".into()),
        });
    }
    let text = matches.get_one::<String>(setting.name)?.clone();
    Some(Given {
        setting,
        text,
        source: Source::Flag(format!("--{flag}")),
    })
}
