//! The platform's state directory for applications.

use std::ffi::OsString;
use std::path::PathBuf;

/// Where an application of that name keeps its state; `None` when the environment does not tell.
pub fn of(application: &str, environment: &[(OsString, OsString)]) -> Option<PathBuf> {
    let variable = |name: &str| {
        let found = environment.iter().find(|(other, _)| other == name);
        found
            .map(|(_, value)| PathBuf::from(value))
            .filter(|path| path.is_absolute())
    };
    let parent = match std::env::consts::OS {
        "macos" => variable("HOME").map(|home| home.join("Library/Application Support")),
        "windows" => variable("LOCALAPPDATA"),
        _ => variable("XDG_STATE_HOME")
            .or_else(|| variable("HOME").map(|home| home.join(".local/state"))),
    };
    parent.map(|parent| parent.join(application))
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    fn of_linux(variables: &[(&str, &str)]) -> Option<PathBuf> {
        let environment: Vec<_> = variables
            .iter()
            .map(|(n, v)| (n.into(), v.into()))
            .collect();
        of("tollgate", &environment)
    }

    #[test]
    fn linux_has_xdg_state_home_or_the_home_directory() {
        assert_eq!(
            of_linux(&[("HOME", "/home/a")]),
            Some("/home/a/.local/state/tollgate".into())
        );
        assert_eq!(
            of_linux(&[("HOME", "/home/a"), ("XDG_STATE_HOME", "/s")]),
            Some("/s/tollgate".into())
        );
        assert_eq!(
            of_linux(&[("XDG_STATE_HOME", "relative"), ("HOME", "/h")]),
            Some("/h/.local/state/tollgate".into())
        );
        assert_eq!(of_linux(&[]), None);
    }
}
