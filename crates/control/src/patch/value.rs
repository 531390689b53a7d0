//! What a patch's text becomes: numbers, truth values, optional members.

use crate::error::Error;

/// What a patch's text can be read as.
pub trait FromPatch: Sized {
    fn from_patch(value: Option<&str>, path: &str) -> Result<Self, Error>;
}

impl FromPatch for String {
    fn from_patch(value: Option<&str>, _: &str) -> Result<Self, Error> {
        Ok(value.unwrap_or_default().to_owned())
    }
}

/// What is not `true` is false, never an error, as on AWS.
impl FromPatch for bool {
    fn from_patch(value: Option<&str>, _: &str) -> Result<Self, Error> {
        Ok(value.is_some_and(|text| text.eq_ignore_ascii_case("true")))
    }
}

/// No value, or an empty one, unsets the field.
impl<V: FromPatch> FromPatch for Option<V> {
    fn from_patch(value: Option<&str>, path: &str) -> Result<Self, Error> {
        match value {
            None | Some("") => Ok(None),
            some => V::from_patch(some, path).map(Some),
        }
    }
}

macro_rules! whole_numbers {
    ($($number:ty),*) => {$(
        impl FromPatch for $number {
            fn from_patch(value: Option<&str>, path: &str) -> Result<Self, Error> {
                let text = value.unwrap_or_default();
                text.trim().parse().map_err(|_| {
                    Error::bad_request(format!("Invalid value '{text}' specified for path {path}, must be a whole number"))
                })
            }
        }
    )*};
}
whole_numbers!(i32, i64, u16, u32, u64);

impl FromPatch for f64 {
    fn from_patch(value: Option<&str>, path: &str) -> Result<Self, Error> {
        let text = value.unwrap_or_default();
        let number: Option<f64> = text.trim().parse().ok();
        number.filter(|number| number.is_finite()).ok_or_else(|| {
            Error::bad_request(format!(
                "Invalid value '{text}' specified for path {path}, must be a number"
            ))
        })
    }
}
