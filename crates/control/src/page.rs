//! Paging: `position` and `limit` in, `item` and `position` out.

use axum::extract::FromRequestParts;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::request::Parts;
use serde::Serialize;
use tollgate_store::{Listed, Page as StorePage};

use crate::error::Error;
use crate::extract::Query;

/// Items a page has when `limit` is absent or out of range.
pub const LIMIT_DEFAULT: usize = 25;
/// Items a page has at most.
pub const LIMIT_MAX: usize = 500;

/// The page a caller asked for. Positions are opaque to clients: base64 of where the last page ended.
#[derive(Debug, Clone)]
pub struct Page {
    after: Option<String>,
    pub limit: usize,
}

impl Page {
    /// Reads `position` and `limit`. A limit outside 1..=500 means the default, as on AWS.
    pub fn from_query(query: &Query) -> Result<Self, Error> {
        let limit = query.first("limit").and_then(|text| text.parse().ok());
        let limit = limit
            .filter(|limit| (1..=LIMIT_MAX).contains(limit))
            .unwrap_or(LIMIT_DEFAULT);
        let after = match query.first("position") {
            None | Some("") => None,
            Some(position) => Some(decode(position)?),
        };
        Ok(Self { after, limit })
    }

    /// The same page for a list the store keeps in order of creation.
    pub fn oldest_first(&self) -> Result<StorePage, Error> {
        self.in_store(false)
    }

    /// The same page for a list the store gives in reverse order of creation.
    pub fn newest_first(&self) -> Result<StorePage, Error> {
        self.in_store(true)
    }

    fn in_store(&self, newest_first: bool) -> Result<StorePage, Error> {
        let position = match &self.after {
            None => None,
            Some(after) => Some(after.parse().map_err(|_| invalid_position())?),
        };
        Ok(StorePage {
            position,
            limit: self.limit,
            newest_first,
        })
    }

    /// Cuts this page out of a whole list whose `key` rises from item to item.
    pub fn cut<T>(
        &self,
        sorted: impl IntoIterator<Item = T>,
        key: impl Fn(&T) -> String,
    ) -> Items<T> {
        let rest = sorted
            .into_iter()
            .filter(|item| self.after.as_ref().is_none_or(|after| key(item) > *after));
        let mut item: Vec<T> = rest.take(self.limit + 1).collect();
        let more = item.len() > self.limit;
        item.truncate(self.limit);
        let position = if more {
            item.last().map(|last| encode(&key(last)))
        } else {
            None
        };
        Items { item, position }
    }

    /// Where the last page ended, as `encode` was given it.
    pub fn after(&self) -> Option<&str> {
        self.after.as_deref()
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Page {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Error> {
        Self::from_query(&Query::from_request_parts(parts, state).await?)
    }
}

/// A page of a list as AWS writes it; `position` is absent on the last page.
#[derive(Debug, Serialize)]
pub struct Items<T> {
    pub item: Vec<T>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub position: Option<String>,
}

impl<T> Items<T> {
    /// A list that is never paged.
    pub fn whole(item: Vec<T>) -> Self {
        Self {
            item,
            position: None,
        }
    }

    /// The same page with every item changed to what is shown of it.
    pub fn map<U>(self, change: impl FnMut(T) -> U) -> Items<U> {
        Items {
            item: self.item.into_iter().map(change).collect(),
            position: self.position,
        }
    }
}

impl<T> From<Listed<T>> for Items<T> {
    fn from(listed: Listed<T>) -> Self {
        Self {
            item: listed.items,
            position: listed.next.map(|seq| encode(&seq.to_string())),
        }
    }
}

/// An opaque position for the place `after`.
pub fn encode(after: &str) -> String {
    URL_SAFE_NO_PAD.encode(after)
}

fn decode(position: &str) -> Result<String, Error> {
    let bytes = URL_SAFE_NO_PAD
        .decode(position)
        .map_err(|_| invalid_position())?;
    String::from_utf8(bytes).map_err(|_| invalid_position())
}

fn invalid_position() -> Error {
    Error::bad_request("Invalid position specified")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(query: &str) -> Page {
        Page::from_query(&Query::parse(query).unwrap()).unwrap()
    }

    #[test]
    fn a_limit_out_of_range_means_the_default() {
        for query in ["", "limit=-1", "limit=0", "limit=501", "limit=x", "limit="] {
            assert_eq!(page(query).limit, LIMIT_DEFAULT, "{query}");
        }
        assert_eq!(page("limit=500").limit, 500);
    }

    #[test]
    fn a_foreign_position_is_refused() {
        for position in ["!!", "%20", "_w"] {
            let query = Query::parse(&format!("position={position}")).unwrap();
            let refused = Page::from_query(&query)
                .and_then(|page| page.oldest_first())
                .err();
            assert_eq!(
                refused,
                Some(Error::bad_request("Invalid position specified"))
            );
        }
    }

    #[test]
    fn pages_of_a_sorted_list_join_without_gap_or_repeat() {
        let all: Vec<String> = (10..77).map(|n| n.to_string()).collect();
        let mut seen = Vec::new();
        let mut query = "limit=10".to_owned();
        loop {
            let items = page(&query).cut(all.clone(), Clone::clone);
            seen.extend(items.item);
            match items.position {
                Some(position) => query = format!("limit=10&position={position}"),
                None => break,
            }
        }
        assert_eq!(seen, all);
    }
}
