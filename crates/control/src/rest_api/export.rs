//! GetExport: what a stage's deployment froze, as an OpenAPI definition that can be imported again.

mod document;
mod extensions;
pub mod frozen;
mod integration;
mod operation;
mod schema;
mod security;

use axum::response::{IntoResponse, Response};
use http::HeaderMap;
use http::header::{ACCEPT, CONTENT_DISPOSITION, CONTENT_TYPE, HeaderValue};
use tollgate_entity::{Deployment, DeploymentContent, DocumentationSnapshot, RestApi, Stage};
use tollgate_store::Reader;

pub use self::document::{Dialect, Export, write};
pub use self::extensions::Extensions;
use super::json;
use super::node::Node;
use crate::error::Error;
use crate::extract::{Path, Query};
use crate::{Control, find};

/// GetExport.
pub async fn get_export(
    control: Control,
    Path((api, stage, kind)): Path<(String, String, String)>,
    query: Query,
    headers: HeaderMap,
) -> Result<Response, Error> {
    let dialect = Dialect::named(&kind)?;
    let extensions = Extensions::named(query.all("extensions"));
    let region = control.settings.region.clone();
    let settings = control.settings.clone();
    let look = move |reader: &Reader<'_>| {
        let api = find::rest_api(reader, &settings, &api)?;
        let stage = find::stage(reader, &api.id, &stage)?;
        Frozen::of(reader, api, stage)
    };
    let frozen = control.store.read(look).await?;
    let version = frozen.version();
    let is_yaml = wants_yaml(&headers);
    let writing = tokio::task::spawn_blocking(move || {
        let export = Export {
            dialect,
            host: format!("{}.execute-api.{region}.amazonaws.com", frozen.api.id),
            stage: frozen.stage.stage_name.clone(),
            version: frozen.version(),
            extensions,
        };
        let definition = frozen.definition();
        text(&write(&definition, &export), is_yaml)
    });
    let body = writing.await.map_err(Error::internal)??;
    let ending = if is_yaml { "yaml" } else { "json" };
    answer(body, &format!("{kind}_{version}.{ending}"))
}

/// What an export is made of.
struct Frozen {
    api: RestApi,
    stage: Stage,
    deployment: Deployment,
    content: DeploymentContent,
    documentation: Option<DocumentationSnapshot>,
}

impl Frozen {
    fn of(reader: &Reader<'_>, api: RestApi, stage: Stage) -> Result<Self, Error> {
        let deployment = find::deployment(reader, &api.id, &stage.deployment_id)?;
        let content = reader.get(&deployment.id, &deployment.id)?;
        let content = content
            .ok_or_else(|| Error::internal(format!("deployment {} is empty", deployment.id)))?;
        let documentation = match &stage.documentation_version {
            Some(version) => reader.get(&api.id, version)?,
            None => None,
        };
        Ok(Frozen {
            api,
            stage,
            deployment,
            content,
            documentation,
        })
    }

    /// The API's version; without one the time of the deployment, as AWS writes it.
    fn version(&self) -> String {
        let said = self.api.version.clone();
        said.filter(|version| !version.is_empty())
            .unwrap_or_else(|| {
                let at = jiff::Timestamp::from_second(self.deployment.created_date.0);
                at.unwrap_or_default().to_string()
            })
    }

    fn definition(self) -> super::definition::Definition {
        let parts = self.documentation.map(|snapshot| snapshot.parts);
        frozen::definition(self.api, self.content, parts.unwrap_or_default())
    }
}

/// The document as text.
pub fn text(document: &Node, yaml: bool) -> Result<String, Error> {
    if !yaml {
        return Ok(json::pretty(document));
    }
    let mut text = String::new();
    serde_saphyr::to_fmt_writer(&mut text, document).map_err(Error::internal)?;
    Ok(text)
}

fn wants_yaml(headers: &HeaderMap) -> bool {
    let accept = headers.get(ACCEPT).and_then(|accept| accept.to_str().ok());
    let first = accept
        .unwrap_or_default()
        .split(',')
        .next()
        .unwrap_or_default();
    first.to_ascii_lowercase().contains("yaml")
}

fn answer(body: String, file: &str) -> Result<Response, Error> {
    let is_plain = |c: char| c.is_ascii_graphic() && !matches!(c, '"' | '\\' | '/');
    let file: String = file
        .chars()
        .map(|c| if is_plain(c) { c } else { '_' })
        .collect();
    let disposition = HeaderValue::try_from(format!("attachment; filename=\"{file}\""));
    let disposition = disposition.map_err(Error::internal)?;
    let kind = HeaderValue::from_static("application/octet-stream");
    Ok((
        [(CONTENT_TYPE, kind), (CONTENT_DISPOSITION, disposition)],
        body,
    )
        .into_response())
}

#[cfg(test)]
mod tests;
