//! Reading JSON as AWS's front layer does: members have names at every depth, and what is of the wrong type is refused in its words.

use std::fmt;

use serde::de::value::SeqDeserializer;
use serde::de::{
    self, DeserializeOwned, DeserializeSeed, Deserializer, Expected, IntoDeserializer, MapAccess,
    Unexpected, Visitor,
};
use serde_json::Value;

use crate::error::Error;

/// Reads the JSON object of a body; a missing body is `{}`, a refusal is a `SerializationException`.
pub(crate) fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, Error> {
    let value = if body.iter().all(u8::is_ascii_whitespace) {
        Value::Object(serde_json::Map::new())
    } else {
        serde_json::from_slice(body).map_err(|error| {
            Error::Serialization(format!("Could not parse request body into json: {error}"))
        })?
    };
    if !(value.is_object() || value.is_array()) {
        let text = "The request body must be a JSON object.";
        return Err(Error::Serialization(text.to_owned()));
    }
    read(value).map_err(|refusal| Error::Serialization(refusal.to_string()))
}

/// Reads a value. serde by itself would also take an array for a structure, its members by their order.
pub(crate) fn read<T: DeserializeOwned>(value: Value) -> Result<T, Refusal> {
    T::deserialize(Named(value))
}

/// Why a value is not what was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// In the words of AWS's front layer, which is written in Java.
    Worded(String),
    /// In ours: the member (empty until it is known) and what is wrong with it.
    Member(String, String),
}

impl Refusal {
    fn of(self, name: &str) -> Self {
        match self {
            Self::Member(member, wrong) if member.is_empty() => {
                Self::Member(name.to_owned(), wrong)
            }
            named => named,
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Worded(text) => f.write_str(text),
            Self::Member(member, wrong) if member.is_empty() => {
                write!(f, "The request body {wrong}")
            }
            Self::Member(member, wrong) => write!(f, "The member {member} {wrong}"),
        }
    }
}

impl std::error::Error for Refusal {}

impl de::Error for Refusal {
    fn custom<T: fmt::Display>(text: T) -> Self {
        Self::Member(String::new(), format!("cannot be read: {text}"))
    }

    fn invalid_type(found: Unexpected<'_>, wanted: &dyn Expected) -> Self {
        let ours = |wrong: &str| Self::Member(String::new(), wrong.to_owned());
        match (worded(&found, &wanted.to_string()), found) {
            (Some(text), _) => Self::Worded(text),
            (None, Unexpected::Unit) => ours("must not hold null"),
            (None, _) => ours("is of the wrong type"),
        }
    }

    fn invalid_value(found: Unexpected<'_>, _: &dyn Expected) -> Self {
        let shown = match found {
            Unexpected::Unsigned(number) => number.to_string(),
            Unexpected::Signed(number) => number.to_string(),
            other => other.to_string(),
        };
        Self::Member(String::new(), format!("is out of range: {shown}"))
    }
}

/// What serde's visitors call the types that members have, and what AWS calls them.
const TYPES: [(&str, &str); 6] = [
    ("a string", "String"),
    ("a boolean", "Boolean"),
    ("i32", "Integer"),
    ("i64", "Long"),
    ("f64", "Double"),
    ("f32", "Float"),
];
const STRUCTURE: &str = "a structure";

fn worded(found: &Unexpected<'_>, wanted: &str) -> Option<String> {
    let class = match found {
        Unexpected::Seq => return Some("Start of list found where not expected".to_owned()),
        // With a full stop, unlike the other.
        Unexpected::Map => {
            return Some("Start of structure or map found where not expected.".to_owned());
        }
        Unexpected::Bool(_) => "java.lang.Boolean",
        Unexpected::Unsigned(_) | Unexpected::Signed(_) | Unexpected::Float(_) => {
            "com.amazon.coral.value.json.numbers.TruncatingBigNumber"
        }
        Unexpected::Str(_) => "java.lang.String",
        _ => return None,
    };
    let text = match wanted {
        "a sequence" => "Expected list or null".to_owned(),
        "a map" => "Expected map or null".to_owned(),
        STRUCTURE => "Expected null".to_owned(),
        wanted => {
            let (_, name) = TYPES.iter().find(|(serde, _)| *serde == wanted)?;
            format!("class {class} can not be converted to an {name}")
        }
    };
    Some(text)
}

/// A value whose structures must be objects, at every depth.
struct Named(Value);

impl Named {
    fn unexpected(&self) -> Unexpected<'_> {
        match &self.0 {
            Value::Null => Unexpected::Unit,
            Value::Bool(value) => Unexpected::Bool(*value),
            Value::Number(number) => Unexpected::Float(number.as_f64().unwrap_or_default()),
            Value::String(text) => Unexpected::Str(text),
            Value::Array(_) => Unexpected::Seq,
            Value::Object(_) => Unexpected::Map,
        }
    }
}

impl<'de> Deserializer<'de> for Named {
    type Error = Refusal;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refusal> {
        match self.0 {
            Value::Null => visitor.visit_unit(),
            Value::Bool(value) => visitor.visit_bool(value),
            Value::Number(number) => match (number.as_u64(), number.as_i64()) {
                (Some(number), _) => visitor.visit_u64(number),
                (None, Some(number)) => visitor.visit_i64(number),
                (None, None) => visitor.visit_f64(number.as_f64().unwrap_or(f64::NAN)),
            },
            Value::String(text) => visitor.visit_string(text),
            Value::Array(values) => {
                visitor.visit_seq(SeqDeserializer::new(values.into_iter().map(Named)))
            }
            Value::Object(members) => visitor.visit_map(Members {
                rest: members.into_iter(),
                next: None,
            }),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refusal> {
        match self.0 {
            Value::Null => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Refusal> {
        match self.0 {
            Value::Object(_) => self.deserialize_any(visitor),
            _ => Err(de::Error::invalid_type(self.unexpected(), &STRUCTURE)),
        }
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf
        unit unit_struct newtype_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}

impl IntoDeserializer<'_, Refusal> for Named {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

/// The members of an object; a refusal learns the name of the innermost one.
struct Members {
    rest: serde_json::map::IntoIter,
    next: Option<(String, Value)>,
}

impl<'de> MapAccess<'de> for Members {
    type Error = Refusal;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Refusal> {
        self.next = self.rest.next();
        match &self.next {
            Some((name, _)) => seed
                .deserialize(name.as_str().into_deserializer())
                .map(Some),
            None => Ok(None),
        }
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Refusal> {
        let (name, value) = self.next.take().unwrap_or_default();
        seed.deserialize(Named(value))
            .map_err(|refusal| refusal.of(&name))
    }
}

#[cfg(test)]
mod tests;
