//! Access keys of the control plane: where a client finds one, and the file they are kept in.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::failed::Failed;

/// The file in the data directory with the administrator's access key.
pub const FILE: &str = "credentials";

/// An access key. Its secret is not shown by `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    pub access_key_id: String,
    pub secret_access_key: String,
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Credentials")
            .field("access_key_id", &self.access_key_id)
            .finish_non_exhaustive()
    }
}

/// Data directories that may hold the access key.
#[derive(Debug, Default)]
pub struct Places {
    /// Of the flag: the key must be there.
    pub flag: Option<PathBuf>,
    /// Of TOLLGATE_DATA_DIR.
    pub named: Option<PathBuf>,
    /// Of the gateway's settings, from wherever.
    pub usual: Option<PathBuf>,
}

/// Finds the access key to sign with: of the data directory of the flag, else of the one that TOLLGATE_DATA_DIR names,
/// else of the environment as AWS's tools read it, else of the gateway's usual data directory. `None` when there is none
/// anywhere, which a gateway with `--no-auth` accepts.
pub fn find(
    places: &Places,
    environment: &[(OsString, OsString)],
) -> Result<Option<Credentials>, Failed> {
    let variable = |name: &str| {
        let found = environment
            .iter()
            .find(|(other, value)| other == name && !value.is_empty());
        found.map(|(_, value)| value.clone())
    };
    let text = |name: &str| variable(name).and_then(|value| value.into_string().ok());
    let profile = text("AWS_PROFILE").unwrap_or_else(|| "default".to_owned());
    if let Some(dir) = &places.flag {
        return read(&dir.join(FILE), "default").map(Some);
    }
    if let Some(found) = there(&places.named)? {
        return Ok(Some(found));
    }
    match (text("AWS_ACCESS_KEY_ID"), text("AWS_SECRET_ACCESS_KEY")) {
        (Some(access_key_id), Some(secret_access_key)) => {
            return Ok(Some(Credentials {
                access_key_id,
                secret_access_key,
            }));
        }
        (None, None) => {}
        _ => {
            let both = "set both AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or neither";
            return Err(Failed::Usage(both.to_owned()));
        }
    }
    if let Some(file) = variable("AWS_SHARED_CREDENTIALS_FILE") {
        return read(&PathBuf::from(file), &profile).map(Some);
    }
    there(&places.usual)
}

/// The access key of a data directory, if it has one. A directory that may not be looked into is an error.
fn there(dir: &Option<PathBuf>) -> Result<Option<Credentials>, Failed> {
    let Some(file) = dir.as_ref().map(|dir| dir.join(FILE)) else {
        return Ok(None);
    };
    match fs::metadata(&file) {
        Err(error) if error.kind() != io::ErrorKind::PermissionDenied => Ok(None),
        _ => read(&file, "default").map(Some),
    }
}

/// Reads one profile of a file in AWS's shared-credentials format.
pub fn read(file: &Path, profile: &str) -> Result<Credentials, Failed> {
    let contents = fs::read_to_string(file).map_err(|error| {
        Failed::Usage(format!(
            "cannot read the access key in {}: {error}{}",
            file.display(),
            match error.kind() {
                io::ErrorKind::PermissionDenied =>
                    "; run this as the gateway's user, or set AWS_SHARED_CREDENTIALS_FILE to a copy of your own",
                _ => "",
            }
        ))
    })?;
    parse(&contents, profile).ok_or_else(|| {
        let file = file.display();
        Failed::Usage(format!(
            "{file} has no aws_access_key_id and aws_secret_access_key under [{profile}]"
        ))
    })
}

fn parse(contents: &str, profile: &str) -> Option<Credentials> {
    let mut section = "";
    let mut id = None;
    let mut secret = None;
    for line in contents.lines().map(str::trim) {
        if let Some(name) = line
            .strip_prefix('[')
            .and_then(|rest| rest.strip_suffix(']'))
        {
            section = name.trim();
        } else if let Some((name, value)) = line.split_once('=').filter(|_| section == profile) {
            match name.trim() {
                "aws_access_key_id" => id = Some(value.trim().to_owned()),
                "aws_secret_access_key" => secret = Some(value.trim().to_owned()),
                _ => {}
            }
        }
    }
    Some(Credentials {
        access_key_id: id?,
        secret_access_key: secret?,
    })
}

/// Writes the file of a data directory, readable by its owner only, whole or not at all. Returns its path.
pub fn write(data_dir: &Path, credentials: &Credentials) -> io::Result<PathBuf> {
    let file = data_dir.join(FILE);
    let new = data_dir.join(format!("{FILE}.new"));
    if let Err(error) = fs::remove_file(&new)
        && error.kind() != io::ErrorKind::NotFound
    {
        return Err(error);
    }
    let mut out = private(&new)?;
    write!(
        out,
        "# An administrator's access key of this Tollgate; keep it secret.\n[default]\naws_access_key_id = {}\n\
         aws_secret_access_key = {}\n",
        credentials.access_key_id, credentials.secret_access_key
    )?;
    out.sync_all()?;
    fs::rename(&new, &file)?;
    File::open(data_dir)?.sync_all()?;
    Ok(file)
}

/// A new file that only its owner can read, from its first moment on.
fn private(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(name: &str) -> Credentials {
        Credentials {
            access_key_id: format!("ID{name}"),
            secret_access_key: format!("secret/{name}+="),
        }
    }

    #[test]
    fn a_written_file_reads_back_and_only_its_owner_can() {
        let dir = tempfile::tempdir().unwrap();
        let file = write(dir.path(), &key("1")).unwrap();
        assert_eq!(read(&file, "default").unwrap(), key("1"));
        assert_eq!(file, write(dir.path(), &key("2")).unwrap());
        assert_eq!(read(&file, "default").unwrap(), key("2"));
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            assert_eq!(
                fs::metadata(&file).unwrap().permissions().mode() & 0o777,
                0o600
            );
        }
        let text = fs::read_to_string(&file).unwrap();
        assert!(
            text.contains(
                "\n[default]\naws_access_key_id = ID2\naws_secret_access_key = secret/2+=\n"
            ),
            "{text}"
        );
    }

    #[test]
    fn profiles_are_told_apart() {
        let contents = "[default]\naws_access_key_id=IDa\naws_secret_access_key=secret/a+=\nregion=x\n\n[ b ]\naws_access_key_id = IDb\n aws_secret_access_key = secret/b+=\n[c]\naws_access_key_id = IDc\n";
        assert_eq!(parse(contents, "default"), Some(key("a")));
        assert_eq!(parse(contents, "b"), Some(key("b")));
        assert_eq!(parse(contents, "c"), None);
        assert_eq!(parse(contents, "d"), None);
    }

    #[test]
    fn a_named_data_directory_wins_then_the_environment_then_the_default_directory() {
        let (named, default) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        write(named.path(), &key("named")).unwrap();
        let environment: Vec<(OsString, OsString)> = vec![
            ("AWS_ACCESS_KEY_ID".into(), "IDenv".into()),
            ("AWS_SECRET_ACCESS_KEY".into(), "secret/env+=".into()),
        ];
        let dir = |dir: &tempfile::TempDir| Some(dir.path().to_owned());
        let flag = Places {
            flag: dir(&named),
            usual: dir(&default),
            ..Places::default()
        };
        assert_eq!(find(&flag, &environment).unwrap(), Some(key("named")));
        let by_name = Places {
            named: dir(&named),
            usual: dir(&named),
            ..Places::default()
        };
        assert_eq!(find(&by_name, &environment).unwrap(), Some(key("named")));
        let usual = Places {
            usual: dir(&default),
            ..Places::default()
        };
        assert_eq!(find(&usual, &environment).unwrap(), Some(key("env")));
        assert_eq!(find(&usual, &[]).unwrap(), None);
        write(default.path(), &key("default")).unwrap();
        assert_eq!(find(&usual, &[]).unwrap(), Some(key("default")));
        let file: Vec<(OsString, OsString)> = vec![(
            "AWS_SHARED_CREDENTIALS_FILE".into(),
            named.path().join(FILE).into(),
        )];
        assert_eq!(find(&usual, &file).unwrap(), Some(key("named")));
    }

    #[test]
    fn half_a_key_or_a_missing_file_is_said_so() {
        let half = vec![("AWS_ACCESS_KEY_ID".into(), "x".into())];
        let nowhere = find(&Places::default(), &half);
        assert!(nowhere.unwrap_err().to_string().contains("set both"));
        let dir = tempfile::tempdir().unwrap();
        let flag = Places {
            flag: Some(dir.path().to_owned()),
            ..Places::default()
        };
        let missing = find(&flag, &[]).unwrap_err().to_string();
        assert!(
            missing.starts_with("cannot read the access key in "),
            "{missing}"
        );
    }

    #[test]
    fn a_secret_is_not_shown() {
        assert!(!format!("{:?}", key("x")).contains("secret/"));
    }
}
