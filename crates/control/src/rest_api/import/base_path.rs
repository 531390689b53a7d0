//! The base path of a definition: left out, put before every path, or put there without its first segment.

use super::context::{At, Context, Dialect};
use crate::error::Error;

/// What the query's `basepath` asks for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum BasePath {
    #[default]
    Ignore,
    Prepend,
    Split,
}

impl BasePath {
    pub fn named(name: Option<&str>) -> Result<Self, Error> {
        match name.map(str::to_ascii_lowercase).as_deref() {
            None | Some("" | "ignore") => Ok(BasePath::Ignore),
            Some("prepend") => Ok(BasePath::Prepend),
            Some("split") => Ok(BasePath::Split),
            Some(_) => Err(Error::bad_request(
                "Invalid basepath specified. Valid options are ignore,prepend,split",
            )),
        }
    }
}

/// What goes before every path: empty, or segments that each begin with a slash.
pub fn prefix(context: &mut Context<'_>, root: &At<'_>, base_path: BasePath) -> String {
    let written = match context.dialect {
        Dialect::Swagger => root.text("basePath"),
        Dialect::OpenApi => server_path(context, root),
    };
    let written = written.unwrap_or_default();
    let segments = written.split('/').filter(|segment| !segment.is_empty());
    let skipped = match base_path {
        BasePath::Ignore => return String::new(),
        BasePath::Prepend => 0,
        BasePath::Split => 1,
    };
    segments
        .skip(skipped)
        .fold(String::new(), |path, segment| path + "/" + segment)
}

/// The path of the first server's URL, its variables replaced by their defaults.
fn server_path(context: &mut Context<'_>, root: &At<'_>) -> Option<String> {
    let servers = root.get("servers")?;
    if servers.items().count() > 1 {
        context.warn(
            "More than one server provided. Ignoring all but the first for defining endpoint configuration",
        );
    }
    let server = servers.items().next()?;
    let mut url = server.text("url")?;
    for (name, variable) in server.get("variables").iter().flat_map(At::members) {
        let value = variable.text("default").unwrap_or_default();
        url = url.replace(&format!("{{{name}}}"), &value);
    }
    let after_scheme = url.split_once("://").map_or(url.as_str(), |(_, rest)| rest);
    let path = after_scheme.find('/').map(|start| &after_scheme[start..]);
    path.map(str::to_owned)
}
