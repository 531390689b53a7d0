//! What AWS adds to an entity when it shows it alone: `tags`, even empty ones.

use serde::Serialize;
use serde_json::{Map, Value};

use crate::error::Error;
use crate::extract::Json;

/// The entity as a single read or a patch answers it: with `tags`, `{}` where it has none.
pub fn with_tags<T: Serialize>(entity: &T) -> Result<Json<Value>, Error> {
    let mut shown = serde_json::to_value(entity).map_err(Error::internal)?;
    if let Value::Object(members) = &mut shown {
        members
            .entry("tags")
            .or_insert_with(|| Value::Object(Map::new()));
    }
    Ok(Json(shown))
}
