//! docs/configuration.md is in step with the table of settings. `WRITE_DOCS=1` (`make docs`) rewrites it.
#![allow(clippy::unwrap_used)] // a test that cannot go on must fail

use std::fmt::Write;
use std::path::Path;

use tollgate::config::settings::{GivenIn, SETTINGS, Setting};

const INTRODUCTION: &str = "# Configuration

Flags win over the environment, the environment over `tollgate.toml` (in the current directory, or `--config FILE`), the file over defaults. A name that does not exist or a value that is not allowed is an error that says where it stands and what is allowed. `tollgate check` prints every setting in force and where it comes from.

A setting has one name: `max_body_bytes` in the file is `--max-body-bytes` as a flag and `TOLLGATE_MAX_BODY_BYTES` in the environment. Secrets have no flag, because other users of a machine can read a command line.

```toml
# tollgate.toml
data_dir = \"/var/lib/tollgate\"
data_plane = \"0.0.0.0:8080\"
access_log = \"stdout\"
metrics_token = \"a-long-random-word-of-your-own\"

[certificates]
\"arn:aws:acm:us-east-1:000000000000:certificate/api\" = { certificate = \"api.pem\", key = \"api.key\" }
```

Made from the table of settings by `make docs`.

| setting | default | allowed | what it is for |
|---|---|---|---|
";

#[test]
fn the_configuration_page_is_in_step_with_the_table() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/configuration.md");
    let page = page();
    if std::env::var_os("WRITE_DOCS").is_some() {
        return std::fs::write(file, page).unwrap();
    }
    let kept = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(
        kept == page,
        "docs/configuration.md is stale: run `make docs`"
    );
}

fn page() -> String {
    let mut page = INTRODUCTION.to_owned();
    for Setting {
        name,
        default,
        kind,
        given_in,
        doc,
    } in SETTINGS
    {
        let default = default.map_or("unset".to_owned(), |text| format!("`{text}`"));
        let place = match given_in {
            GivenIn::Everywhere => "",
            GivenIn::EnvironmentAndFile => " No flag.",
            GivenIn::Environment => " Environment only.",
        };
        let allowed = kind.allowed().replace('|', "\\|");
        writeln!(page, "| `{name}` | {default} | {allowed} | {doc}{place} |").unwrap();
    }
    page
}
