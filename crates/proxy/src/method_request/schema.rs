//! A model, compiled: which bodies fit it. References are resolved here; nothing is ever fetched.
//!
//! Every `$ref` becomes a keyword of ours that goes on with the schema it names, so that the work one
//! body may cause is counted: a model that refers to itself in several branches would else take time
//! that doubles with each level of the body.

use std::cell::Cell;
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, OnceLock, Weak};

use jsonschema::paths::Location;
use jsonschema::{Draft, Keyword, PatternOptions, ValidationError, Validator};
use serde_json::{Map, Value};
use tollgate_entity as entity;

use super::describe;
use crate::deployed::Misconfigured;

/// References that are followed for any body.
const STEPS_MIN: usize = 10_000;
/// And for each of its bytes, so that what a body may cost grows as the body does.
const STEPS_PER_BYTE: usize = 4;
/// The same while its faults are listed.
const TOLD_STEPS_MAX: u32 = 2_000;
/// References within references.
const DEPTH_MAX: u32 = 160;
/// Schemas that one model may refer to, over all models.
const REFERENCES_MAX: usize = 2_000;
/// Bytes that a compiled pattern may take.
const PATTERN_BYTES_MAX: usize = 1 << 20;
/// The faults of larger bodies are not listed: there could be one for each of their bytes.
const TOLD_BODY_BYTES_MAX: usize = 64 * 1024;

/// What a `$ref` becomes; its value is the index of what it names.
const REFERENCE: &str = "tollgate:ref";

/// A model, ready to check bodies.
pub struct Schema(Arc<Targets>);

/// The schemas a model consists of, itself first.
#[derive(Default)]
struct Targets(Vec<OnceLock<Validator>>);

impl std::fmt::Debug for Schema {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Schema of {}", self.0.0.len())
    }
}

/// What one body may still cause; a validation never waits, so its thread knows it.
#[derive(Clone, Copy)]
struct Effort {
    steps_left: u32,
    depth: u32,
}

thread_local! {
    static EFFORT: Cell<Effort> = const { Cell::new(Effort { steps_left: 0, depth: 0 }) };
}

impl Schema {
    /// Compiles the model of that name.
    pub fn compile(name: &str, models: &[entity::Model]) -> Result<Schema, Misconfigured> {
        let mut compiler = Compiler {
            models,
            parsed: HashMap::new(),
            known: HashMap::new(),
            places: Vec::new(),
        };
        compiler.place(name.to_owned(), String::new())?;
        let mut schemas = Vec::new();
        let mut hops: Vec<Vec<usize>> = Vec::new();
        while let Some((model, pointer)) = compiler.places.get(schemas.len()).cloned() {
            let mut own_hops = Vec::new();
            schemas.push(compiler.schema(&model, &pointer, &mut own_hops)?);
            hops.push(own_hops);
        }
        refuse_circles(name, &hops)?;
        let targets = Arc::new(Targets(schemas.iter().map(|_| OnceLock::new()).collect()));
        for (cell, schema) in targets.0.iter().zip(&schemas) {
            let validator = validator(schema, &targets)
                .map_err(|error| bad(name, &format!("its schema cannot be used: {error}")))?;
            let _ = cell.set(validator); // each is set once
        }
        Ok(Schema(targets))
    }

    /// What is wrong with a body, as AWS lists it; nothing when it fits.
    pub fn check(&self, body: &[u8]) -> Result<(), String> {
        let fault = |text: &str| Err(format!("[{text}]"));
        let body = match body {
            b"" => b"{}",
            body => body,
        };
        let Ok(value) = serde_json::from_slice::<Value>(body) else {
            return fault("Invalid JSON");
        };
        let Some(root) = self.0.0.first().and_then(OnceLock::get) else {
            return fault("the model is gone");
        };
        let steps = STEPS_MIN.saturating_add(body.len().saturating_mul(STEPS_PER_BYTE));
        let steps = u32::try_from(steps).unwrap_or(u32::MAX);
        if with_effort(steps, || root.is_valid(&value)) {
            return Ok(());
        }
        if body.len() > TOLD_BODY_BYTES_MAX {
            return fault("the body does not match the model; it is too large to list its faults");
        }
        with_effort(TOLD_STEPS_MAX, || {
            let faults = describe::faults(root.iter_errors(&value));
            Err(format!("[{}]", faults.join(", ")))
        })
    }
}

fn with_effort<T>(steps: u32, work: impl FnOnce() -> T) -> T {
    EFFORT.set(Effort {
        steps_left: steps,
        depth: 0,
    });
    work()
}

fn bad(model: &str, what: &str) -> Misconfigured {
    Misconfigured::new(format!("model {model}: {what}"))
}

fn validator(schema: &Value, targets: &Arc<Targets>) -> Result<Validator, String> {
    let targets = Arc::downgrade(targets);
    let factory = of_references(move |_, index, _| {
        Ok(Box::new(Reference {
            targets: Weak::clone(&targets),
            index: index.as_u64().unwrap_or(u64::MAX) as usize,
        }))
    });
    jsonschema::options()
        .with_draft(Draft::Draft4)
        .with_pattern_options(PatternOptions::regex().size_limit(PATTERN_BYTES_MAX))
        // To try a caller's pattern is work that the caller chooses.
        .with_format("regex", |_: &str| true)
        .with_keyword(REFERENCE, factory)
        .build(schema)
        .map_err(|error| error.to_string())
}

/// Tells the compiler what lifetimes the factory is for.
fn of_references<F>(factory: F) -> F
where
    F: for<'a> Fn(
        &'a Map<String, Value>,
        &'a Value,
        Location,
    ) -> Result<Box<dyn for<'i> Keyword<'i>>, ValidationError<'a>>,
{
    factory
}

/// A `$ref`: goes on with what it names.
struct Reference {
    targets: Weak<Targets>,
    index: usize,
}

impl Reference {
    /// None when the body has caused too much.
    fn follow<T>(&self, go_on: impl FnOnce(&Validator) -> T) -> Option<T> {
        let before = EFFORT.get();
        if before.steps_left == 0 || before.depth >= DEPTH_MAX {
            // Whatever is still open ends at once, too.
            EFFORT.set(Effort {
                steps_left: 0,
                ..before
            });
            return None;
        }
        EFFORT.set(Effort {
            steps_left: before.steps_left - 1,
            depth: before.depth + 1,
        });
        let targets = self.targets.upgrade()?;
        let result = targets.0.get(self.index)?.get().map(go_on);
        EFFORT.set(Effort {
            depth: before.depth,
            ..EFFORT.get()
        });
        result
    }
}

impl<'i> Keyword<'i> for Reference {
    fn validate(&self, instance: &'i Value) -> Result<(), ValidationError<'i>> {
        match self.is_valid(instance) {
            true => Ok(()),
            false => Err(ValidationError::custom("it does not match its model")),
        }
    }

    fn is_valid(&self, instance: &'i Value) -> bool {
        self.follow(|validator| validator.is_valid(instance))
            .unwrap_or(false)
    }

    fn iter_errors(
        &self,
        instance: &'i Value,
    ) -> Box<dyn Iterator<Item = ValidationError<'i>> + 'i> {
        // Put into words here: the library would take the value at this reference for the faulty one.
        let faults = self.follow(|validator| describe::faults(validator.iter_errors(instance)));
        let too_much = || vec!["it is nested too deeply for its model".to_owned()];
        let faults = faults.unwrap_or_else(too_much);
        Box::new(
            faults
                .into_iter()
                .map(|fault| ValidationError::custom(fault)),
        )
    }
}

/// Where a schema stands: a model's name and a JSON pointer in it.
type Place = (String, String);

struct Compiler<'a> {
    models: &'a [entity::Model],
    parsed: HashMap<String, Arc<Value>>,
    known: HashMap<Place, usize>,
    /// In the order in which they were met; the rest is still to be compiled.
    places: Vec<Place>,
}

impl Compiler<'_> {
    /// The index of a place.
    fn place(&mut self, model: String, pointer: String) -> Result<usize, Misconfigured> {
        let place = (model, pointer);
        if let Some(index) = self.known.get(&place) {
            return Ok(*index);
        }
        if self.places.len() >= REFERENCES_MAX {
            let text = format!("it refers to more than {REFERENCES_MAX} schemas");
            return Err(bad(&place.0, &text));
        }
        let index = self.places.len();
        self.known.insert(place.clone(), index);
        self.places.push(place);
        Ok(index)
    }

    fn model(&mut self, name: &str) -> Result<Arc<Value>, Misconfigured> {
        if let Some(parsed) = self.parsed.get(name) {
            return Ok(Arc::clone(parsed));
        }
        let model = self.models.iter().find(|model| model.name == name);
        let model = model.ok_or_else(|| bad(name, "there is no such model"))?;
        let text = model.schema.as_deref().unwrap_or_default().trim();
        let parsed = match text {
            "" => Value::Object(Map::new()),
            text => serde_json::from_str(text)
                .map_err(|error| bad(name, &format!("its schema is not JSON: {error}")))?,
        };
        let parsed = Arc::new(parsed);
        self.parsed.insert(name.to_owned(), Arc::clone(&parsed));
        Ok(parsed)
    }

    /// The schema at a place, ready to be compiled; `hops` are what it refers to for the same value.
    fn schema(
        &mut self,
        model: &str,
        pointer: &str,
        hops: &mut Vec<usize>,
    ) -> Result<Value, Misconfigured> {
        let whole = self.model(model)?;
        let part = whole
            .pointer(pointer)
            .ok_or_else(|| bad(model, &format!("there is nothing at #{pointer}")))?;
        self.transform(model, part, Some(hops))
    }

    /// A copy with references of ours. `hops` is given where the schema is for the value of the place.
    fn transform(
        &mut self,
        model: &str,
        schema: &Value,
        mut hops: Option<&mut Vec<usize>>,
    ) -> Result<Value, Misconfigured> {
        let Value::Object(members) = schema else {
            return Ok(schema.clone());
        };
        let mut copy = Map::new();
        if let Some(reference) = members.get("$ref") {
            let text = reference.as_str().unwrap_or_default();
            let index = self.resolve(model, text)?;
            if let Some(hops) = hops {
                hops.push(index);
            }
            copy.insert(REFERENCE.to_owned(), index.into());
            return Ok(Value::Object(copy));
        }
        for (name, value) in members {
            let Some(holds) = holds(name) else { continue };
            let own = match holds.same_value {
                true => hops.as_deref_mut(),
                false => None,
            };
            let value = match (holds.form, value) {
                (Form::Schema, Value::Object(_)) => self.transform(model, value, own)?,
                (Form::Schema, Value::Array(_)) | (Form::List, _) => {
                    self.list(model, value, own)?
                }
                (Form::Map, Value::Object(map)) => self.map(model, map, own)?,
                _ => value.clone(),
            };
            copy.insert(name.clone(), value);
        }
        Ok(Value::Object(copy))
    }

    fn list(
        &mut self,
        model: &str,
        value: &Value,
        mut hops: Option<&mut Vec<usize>>,
    ) -> Result<Value, Misconfigured> {
        let Value::Array(items) = value else {
            return Ok(value.clone());
        };
        let items = items
            .iter()
            .map(|item| self.transform(model, item, hops.as_deref_mut()));
        items.collect()
    }

    fn map(
        &mut self,
        model: &str,
        map: &Map<String, Value>,
        mut hops: Option<&mut Vec<usize>>,
    ) -> Result<Value, Misconfigured> {
        let mut copy = Map::new();
        for (name, value) in map {
            copy.insert(
                name.clone(),
                self.transform(model, value, hops.as_deref_mut())?,
            );
        }
        Ok(Value::Object(copy))
    }

    /// What a reference names: a place in the same model, or another model as AWS spells it,
    /// `https://apigateway.amazonaws.com/restapis/<api>/models/<name>`.
    fn resolve(&mut self, model: &str, reference: &str) -> Result<usize, Misconfigured> {
        let (address, fragment) = reference.split_once('#').unwrap_or((reference, ""));
        let decoded = percent_encoding::percent_decode_str(fragment).decode_utf8_lossy();
        let pointer = decoded.into_owned();
        if address.is_empty() {
            if !pointer.is_empty() && self.model(model)?.pointer(&pointer).is_none() {
                return self.elsewhere(model, &pointer, reference);
            }
            return self.place(model.to_owned(), pointer);
        }
        let name = address.split_once("/restapis/").and_then(|(_, rest)| {
            let (_, name) = rest.split_once("/models/")?;
            (!name.is_empty() && !name.contains('/')).then_some(name)
        });
        let name = name.ok_or_else(|| {
            bad(
                model,
                &format!(
                    "it refers to {reference}, which is no model of this API; nothing is fetched"
                ),
            )
        })?;
        self.model(name)?;
        self.place(name.to_owned(), pointer)
    }

    /// What is spelled as a part of the definition that the API was imported from is a model.
    fn elsewhere(
        &mut self,
        model: &str,
        pointer: &str,
        reference: &str,
    ) -> Result<usize, Misconfigured> {
        let name = ["/definitions/", "/components/schemas/"]
            .iter()
            .find_map(|prefix| pointer.strip_prefix(prefix));
        match name.filter(|name| self.models.iter().any(|model| model.name == *name)) {
            Some(name) => self.place(name.to_owned(), String::new()),
            None => Err(bad(model, &format!("there is nothing at {reference}"))),
        }
    }
}

/// How a keyword holds schemas, if it does.
#[derive(Clone, Copy)]
enum Form {
    Nothing,
    Schema,
    List,
    Map,
}

struct Holds {
    form: Form,
    /// Whether they are for the same value and not for one within it.
    same_value: bool,
}

/// The keywords of draft 4; the others are not looked at, and of these `id` would name a place elsewhere.
fn holds(keyword: &str) -> Option<Holds> {
    let (form, same_value) = match keyword {
        "allOf" | "anyOf" | "oneOf" => (Form::List, true),
        "not" => (Form::Schema, true),
        "dependencies" => (Form::Map, true),
        "properties" | "patternProperties" => (Form::Map, false),
        "items" | "additionalItems" | "additionalProperties" => (Form::Schema, false),
        "type" | "enum" | "required" | "format" | "pattern" | "multipleOf" | "minimum"
        | "maximum" | "exclusiveMinimum" | "exclusiveMaximum" | "minLength" | "maxLength"
        | "minItems" | "maxItems" | "uniqueItems" | "minProperties" | "maxProperties" => {
            (Form::Nothing, false)
        }
        _ => return None,
    };
    Some(Holds { form, same_value })
}

/// A schema that refers to itself for the same value has no end.
fn refuse_circles(name: &str, hops: &[Vec<usize>]) -> Result<(), Misconfigured> {
    for start in 0..hops.len() {
        let mut seen = HashSet::new();
        let mut open: Vec<usize> = hops[start].clone();
        while let Some(index) = open.pop() {
            if index == start {
                return Err(bad(name, "it refers to itself without end"));
            }
            if seen.insert(index) {
                open.extend(hops.get(index).into_iter().flatten());
            }
        }
    }
    Ok(())
}
