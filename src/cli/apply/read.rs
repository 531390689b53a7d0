//! Reading the files: each once, all before anything is done; what is wrong is told with file and place.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use tollgate_control::rest_api::definition::Definition;
use tollgate_control::rest_api::import::base_path::BasePath;
use tollgate_control::rest_api::import::{document, parse};
use tollgate_control::rest_api::node::{Members, Node};
use tollgate_entity::api_key::check_value;
use tollgate_entity::{ApiKey, ApiStage, UsagePlan};

use super::file::{File, Key, Plan, Stage};
use crate::cli::failed::Failed;

/// Bytes of one file at most.
const FILE_BYTES_MAX: usize = 10 * 1024 * 1024;
/// Files of a directory at most.
const FILES_MAX: usize = 1_000;

/// What the files say.
#[derive(Debug, Default)]
pub struct Declared {
    pub apis: BTreeMap<String, Api>,
    pub plans: BTreeMap<String, Plan>,
    /// With their values, as far as they are given.
    pub keys: BTreeMap<String, Key>,
    pub warnings: Vec<String>,
    /// Which file declared what: `plan free`.
    origins: BTreeMap<String, PathBuf>,
}

impl Declared {
    /// The file that declares it, as the beginning of an error.
    pub fn origin(&self, noun: &str, name: &str) -> String {
        let file = self.origins.get(&format!("{noun} {name}"));
        file.map_or_else(String::new, |file| format!("{}: ", file.display()))
    }
}

/// An API as it is declared.
#[derive(Debug)]
pub struct Api {
    /// The definition, with the API's name as its title.
    pub document: Node,
    pub stages: BTreeMap<String, Stage>,
}

impl Api {
    /// The definition for the API of that id.
    pub fn definition(&self, id: &str) -> Result<document::Read, Failed> {
        document::read(&self.document, id, BasePath::Ignore)
            .map_err(|error| Failed::Failed(told(error)))
    }

    /// The definition as it is sent.
    pub fn body(&self) -> Vec<u8> {
        serde_json::to_vec(&self.document).unwrap_or_default()
    }
}

/// Reads a file, a directory or stdin.
pub fn read(path: &Path) -> Result<Declared, Failed> {
    let mut reading = Reading::default();
    let is_dir = path.is_dir();
    for file in files(path)? {
        reading.file(&file, is_dir);
    }
    if reading.errors.is_empty() {
        return Ok(reading.declared);
    }
    reading.errors.push("nothing was changed".to_owned());
    Err(Failed::Failed(reading.errors.join("\n")))
}

fn files(path: &Path) -> Result<Vec<PathBuf>, Failed> {
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let cannot = |error| Failed::Failed(format!("cannot read {}: {error}", path.display()));
    let mut files = Vec::new();
    for entry in std::fs::read_dir(path).map_err(cannot)? {
        let file = entry.map_err(cannot)?.path();
        let ending = file.extension().and_then(|ending| ending.to_str());
        if matches!(ending, Some("yaml" | "yml" | "json")) && file.is_file() {
            files.push(file);
        }
    }
    files.sort();
    if files.is_empty() || files.len() > FILES_MAX {
        let (path, count) = (path.display(), files.len());
        return Err(Failed::Failed(format!(
            "{path} has {count} files that end in .yaml, .yml or .json; 1 to {FILES_MAX} are read"
        )));
    }
    Ok(files)
}

#[derive(Default)]
struct Reading {
    declared: Declared,
    errors: Vec<String>,
}

impl Reading {
    fn file(&mut self, path: &Path, of_dir: bool) {
        match self.read_file(path, of_dir) {
            Ok(()) => {}
            Err(error) => self.errors.push(format!("{}: {error}", path.display())),
        }
    }

    fn read_file(&mut self, path: &Path, of_dir: bool) -> Result<(), String> {
        let mut root = node(&bytes(path)?)?;
        if of_dir && (root.get("openapi").is_some() || root.get("swagger").is_some()) {
            return Ok(()); // a definition that another file refers to
        }
        let mut inline = take_inline(&mut root);
        let file: File = typed(&root)?;
        let dir = path.parent().unwrap_or(Path::new(""));
        for (name, api) in file.apis {
            self.once("api", &name, path);
            let document = match inline.remove(&name) {
                Some(document) => Ok((format!("apis.{name}.openapi"), document)),
                None => {
                    let file = dir.join(&api.openapi);
                    let read = bytes(&file).and_then(|bytes| node(&bytes));
                    let place = file.display().to_string();
                    read.map(|node| (place, node)).map_err(|error| {
                        format!("apis.{name}.openapi: {}: {error}", file.display())
                    })
                }
            };
            match document {
                Ok((place, document)) => {
                    let document = titled(document, &name);
                    let stages = api.stages;
                    self.api(path, &place, &name, Api { document, stages });
                }
                Err(error) => self.wrong(path, error),
            }
        }
        for (name, plan) in file.plans {
            self.once("plan", &name, path);
            if let Err(error) = check_plan(&name, &plan) {
                self.wrong(path, format!("plans.{name}: {error}"));
            }
            self.declared.plans.insert(name, plan);
        }
        for (name, mut key) in file.keys {
            self.once("key", &name, path);
            key.value = match value(key.value.as_deref(), dir) {
                Ok(value) => value,
                Err(error) => {
                    self.wrong(path, format!("keys.{name}.value: {error}"));
                    None
                }
            };
            if let Err(error) = check_key(&name, &key) {
                self.wrong(path, format!("keys.{name}: {error}"));
            }
            self.declared.keys.insert(name, key);
        }
        Ok(())
    }

    /// Reads the definition, so that what is wrong with it is known before anything is changed.
    fn api(&mut self, path: &Path, place: &str, name: &str, api: Api) {
        match api.definition("id") {
            Ok(read) => {
                for error in read.errors {
                    self.wrong(path, format!("{place}: {error}"));
                }
                let warnings = read.warnings.into_iter();
                let warnings =
                    warnings.map(|warning| format!("{}: {place}: {warning}", path.display()));
                self.declared.warnings.extend(warnings);
                if let Err(error) = deployable(&read.definition, &api.stages) {
                    self.wrong(path, format!("{place}: {error}"));
                }
            }
            Err(error) => self.wrong(path, format!("{place}: {error}")),
        }
        self.declared.apis.insert(name.to_owned(), api);
    }

    fn wrong(&mut self, path: &Path, error: String) {
        self.errors.push(format!("{}: {error}", path.display()));
    }

    fn once(&mut self, noun: &str, name: &str, path: &Path) {
        let known = self
            .declared
            .origins
            .insert(format!("{noun} {name}"), path.to_owned());
        if let Some(known) = known {
            let known = known.display();
            self.wrong(path, format!("the {noun} {name} is in {known} too"));
        }
    }
}

/// A stage serves a deployment, and that needs methods with integrations.
fn deployable(definition: &Definition, stages: &BTreeMap<String, Stage>) -> Result<(), String> {
    if stages.is_empty() {
        return Ok(());
    }
    let all = definition.paths.iter();
    let mut methods = all.flat_map(|(path, methods)| methods.iter().map(move |one| (path, one)));
    if methods.clone().next().is_none() {
        return Err("an API with stages needs a method".to_owned());
    }
    let bare = methods.find(|(_, (_, method))| method.method_integration.is_none());
    match bare {
        Some((path, (verb, _))) => Err(format!(
            "{verb} {path} has no x-amazon-apigateway-integration, so that it cannot be deployed"
        )),
        None => Ok(()),
    }
}

/// The bytes of a file, read once.
fn bytes(path: &Path) -> Result<Vec<u8>, String> {
    let bytes = crate::cli::call::read(path).map_err(|error| error.to_string())?;
    match bytes.len() {
        length if length > FILE_BYTES_MAX => Err(format!(
            "it has {length} bytes; at most {FILE_BYTES_MAX} are read"
        )),
        _ => Ok(bytes),
    }
}

fn node(bytes: &[u8]) -> Result<Node, String> {
    parse::parse(bytes, FILE_BYTES_MAX).map_err(told)
}

/// What is wrong, with its place.
fn told(error: parse::ParseError) -> String {
    match error {
        parse::ParseError::Unreadable(why) => why,
        other => other.to_string(),
    }
}

/// Takes inline definitions out of the document, whose members keep their order that way.
fn take_inline(root: &mut Node) -> BTreeMap<String, Node> {
    let mut taken = BTreeMap::new();
    let Node::Object(members) = root else {
        return taken;
    };
    if let Some(Node::Object(apis)) = members.get_mut("apis") {
        for (name, api) in apis.iter_mut() {
            if let Node::Object(api) = api
                && let Some(openapi @ Node::Object(_)) = api.get_mut("openapi")
            {
                let inline = std::mem::replace(openapi, Node::Text(String::new()));
                taken.insert(name.clone(), inline);
            }
        }
    }
    taken
}

/// The API's name is its title.
fn titled(mut document: Node, name: &str) -> Node {
    if let Node::Object(members) = &mut document {
        let info = members.entry("info".to_owned());
        let info = info.or_insert_with(|| Node::from(Members::new()));
        if let Node::Object(info) = info {
            info.insert("title".to_owned(), name.into());
        }
    }
    document
}

/// A value of these types; what does not fit is told with its place.
fn typed<T: DeserializeOwned>(root: &Node) -> Result<T, String> {
    let text = serde_json::to_vec(root).map_err(|error| error.to_string())?;
    let reader = &mut serde_json::Deserializer::from_slice(&text);
    serde_path_to_error::deserialize(reader).map_err(|error| {
        let text = error.inner().to_string();
        let text = text
            .rsplit_once(" at line ")
            .map_or(text.as_str(), |(text, _)| text);
        format!("{}: {text}", error.path())
    })
}

/// A key's value: from the environment, from a file, or as it is written.
fn value(written: Option<&str>, dir: &Path) -> Result<Option<String>, String> {
    let Some(written) = written else {
        return Ok(None);
    };
    let named = |kind: &str| {
        written
            .strip_prefix("${")?
            .strip_prefix(kind)?
            .strip_suffix('}')
    };
    if let Some(name) = named("env:") {
        let value = std::env::var(name);
        return value
            .map(Some)
            .map_err(|_| format!("the environment has no variable {name}"));
    }
    if let Some(file) = named("file:") {
        let file = dir.join(file);
        let bytes = bytes(&file)?;
        let text =
            String::from_utf8(bytes).map_err(|_| format!("{} is not text", file.display()))?;
        return Ok(text.lines().next().map(str::to_owned));
    }
    if written.contains("${") {
        return Err("it is neither ${env:NAME} nor ${file:PATH} nor a plain value".to_owned());
    }
    Ok(Some(written.to_owned()))
}

fn check_plan(name: &str, plan: &Plan) -> Result<(), String> {
    let stages = plan.stages.iter().map(|stage| ApiStage {
        api_id: stage.api.clone(),
        stage: stage.stage.clone(),
        throttle: stage
            .throttle
            .iter()
            .map(|(method, one)| (method.clone(), one.settings()))
            .collect(),
    });
    let plan = UsagePlan {
        name: name.to_owned(),
        description: plan.description.clone(),
        api_stages: stages.collect(),
        throttle: plan.throttle.as_ref().map(|one| one.settings()),
        quota: plan.quota.as_ref().map(|one| one.settings()),
        ..UsagePlan::default()
    };
    plan.validated()
        .map(drop)
        .map_err(|error| error.to_string())
}

fn check_key(name: &str, key: &Key) -> Result<(), String> {
    if let Some(value) = &key.value {
        check_value(value).map_err(|error| error.to_string())?;
    }
    let key = ApiKey {
        name: Some(name.to_owned()),
        description: key.description.clone(),
        customer_id: key.customer_id.clone(),
        ..ApiKey::default()
    };
    key.validated().map(drop).map_err(|error| error.to_string())
}
