//! Nouns stored whole, as JSON: how each is filed, and reading and writing any of them.

use std::ops::ControlFlow;

use serde::Serialize;
use serde::de::DeserializeOwned;
use tollgate_entity::{
    Account, Authorizer, BasePathMapping, ClientCertificate, Deployment, DeploymentContent,
    DocumentationPart, DocumentationSnapshot, DocumentationVersion, DomainName, GatewayResponse,
    Model, RequestValidator, Resource, RestApi, Stage, UsagePlan, VpcLink,
};

use crate::feed::Change;
use crate::{Listed, Page, Reader, StoreError, Transaction};

/// A noun that is stored as a JSON document.
pub trait Document: Serialize + DeserializeOwned {
    /// What it is filed under.
    const KIND: &'static str;

    /// Its id among those of the same parent.
    fn id(&self) -> &str;

    /// The id of the noun it belongs to; "" at the top.
    fn parent(&self) -> &str {
        ""
    }

    /// Puts the parent's id back where the JSON leaves it out.
    fn of_parent(self, _parent: &str) -> Self {
        self
    }
}

/// A noun at the top: filed under nothing.
macro_rules! at_the_top {
    ($noun:ident, $kind:literal, $id:ident) => {
        impl Document for $noun {
            const KIND: &'static str = $kind;

            fn id(&self) -> &str {
                &self.$id
            }
        }
    };
}

at_the_top!(RestApi, "rest_api", id);
at_the_top!(UsagePlan, "usage_plan", id);
at_the_top!(DomainName, "domain_name", domain_name);
at_the_top!(
    ClientCertificate,
    "client_certificate",
    client_certificate_id
);
at_the_top!(VpcLink, "vpc_link", id);

impl Document for Account {
    const KIND: &'static str = "account";

    fn id(&self) -> &str {
        "account"
    }
}

impl Document for DeploymentContent {
    const KIND: &'static str = "deployment_content";

    fn id(&self) -> &str {
        &self.deployment_id
    }

    fn parent(&self) -> &str {
        &self.deployment_id
    }

    fn of_parent(self, parent: &str) -> Self {
        DeploymentContent {
            deployment_id: parent.into(),
            ..self
        }
    }
}

/// A noun filed under the id of another.
macro_rules! of_parent {
    ($noun:ident, $kind:literal, $id:ident, $parent:ident) => {
        impl Document for $noun {
            const KIND: &'static str = $kind;

            fn id(&self) -> &str {
                self.$id.as_str()
            }

            fn parent(&self) -> &str {
                &self.$parent
            }

            fn of_parent(self, parent: &str) -> Self {
                $noun {
                    $parent: parent.into(),
                    ..self
                }
            }
        }
    };
}

of_parent!(Resource, "resource", id, rest_api_id);
of_parent!(Deployment, "deployment", id, rest_api_id);
of_parent!(Stage, "stage", stage_name, rest_api_id);
of_parent!(Model, "model", name, rest_api_id);
of_parent!(RequestValidator, "request_validator", id, rest_api_id);
of_parent!(Authorizer, "authorizer", id, rest_api_id);
of_parent!(
    GatewayResponse,
    "gateway_response",
    response_type,
    rest_api_id
);
of_parent!(DocumentationPart, "documentation_part", id, rest_api_id);
of_parent!(
    DocumentationVersion,
    "documentation_version",
    version,
    rest_api_id
);
of_parent!(
    DocumentationSnapshot,
    "documentation_snapshot",
    version,
    rest_api_id
);
of_parent!(BasePathMapping, "base_path_mapping", base_path, domain_name);

impl Reader<'_> {
    /// The document of that id under that parent.
    pub fn get<T: Document>(&self, parent: &str, id: &str) -> Result<Option<T>, StoreError> {
        let sql = "SELECT body FROM document WHERE kind = ?1 AND parent = ?2 AND id = ?3";
        let body = self.database.one(sql, (T::KIND, parent, id), |row| {
            Ok(row.text(0)?.to_owned())
        })?;
        body.map(|body| read::<T>(parent, id, &body)).transpose()
    }

    /// All documents under that parent, in the order of creation.
    pub fn list<T: Document>(&self, parent: &str) -> Result<Vec<T>, StoreError> {
        Ok(self.page(parent, &Page::ALL, |_| true)?.items)
    }

    /// One page of the documents under that parent that `keep` accepts.
    pub fn page<T: Document>(
        &self,
        parent: &str,
        page: &Page,
        keep: impl Fn(&T) -> bool,
    ) -> Result<Listed<T>, StoreError> {
        let (past, order, from) = page.in_sql();
        let sql = format!(
            "SELECT seq, id, body FROM document WHERE kind = ?1 AND parent = ?2 AND seq {past} ?3
             ORDER BY seq {order}"
        );
        let most = usize::try_from(page.rows()).unwrap_or(usize::MAX);
        let mut rows = Vec::new();
        self.database.each(&sql, (T::KIND, parent, from), |row| {
            let document = read::<T>(parent, row.text(1)?, row.text(2)?)?;
            if keep(&document) {
                rows.push((row.integer(0)?, document));
            }
            let enough = rows.len() >= most;
            Ok::<_, StoreError>(if enough {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            })
        })?;
        Ok(page.cut(rows))
    }
}

impl Transaction<'_> {
    /// Stores a document, new or in place of the one there; it keeps its place in the order.
    pub fn put<T: Document>(&mut self, document: &T) -> Result<(), StoreError> {
        self.database.run(
            "INSERT INTO document (kind, parent, id, body) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT (kind, parent, id) DO UPDATE SET body = excluded.body",
            (T::KIND, document.parent(), document.id(), write(document)?),
        )?;
        self.changed(Change::of(T::KIND, document.parent(), document.id()));
        Ok(())
    }

    /// Stores a new document; `StoreError::Exists` when there is one of that id.
    pub fn insert<T: Document>(&mut self, document: &T) -> Result<(), StoreError> {
        let inserted = self.database.run(
            "INSERT INTO document (kind, parent, id, body) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT (kind, parent, id) DO NOTHING",
            (T::KIND, document.parent(), document.id(), write(document)?),
        )?;
        if inserted == 0 {
            return Err(StoreError::Exists {
                kind: T::KIND,
                id: document.id().into(),
            });
        }
        self.changed(Change::of(T::KIND, document.parent(), document.id()));
        Ok(())
    }

    /// Deletes a document; false when there was none.
    pub fn delete<T: Document>(&mut self, parent: &str, id: &str) -> Result<bool, StoreError> {
        let sql = "DELETE FROM document WHERE kind = ?1 AND parent = ?2 AND id = ?3";
        let deleted = self.database.run(sql, (T::KIND, parent, id))? > 0;
        if deleted {
            self.changed(Change::of(T::KIND, parent, id));
        }
        Ok(deleted)
    }

    /// Deletes all documents of that kind under that parent.
    pub fn delete_children<T: Document>(&mut self, parent: &str) -> Result<(), StoreError> {
        let sql = "DELETE FROM document WHERE kind = ?1 AND parent = ?2 RETURNING id";
        let deleted = self
            .database
            .all(sql, (T::KIND, parent), |row| Ok(row.text(0)?.to_owned()))?;
        for id in deleted {
            self.changed(Change::of(T::KIND, parent, &id));
        }
        Ok(())
    }
}

fn write<T: Document>(document: &T) -> Result<String, StoreError> {
    serde_json::to_string(document).map_err(|error| unreadable(T::KIND, document.id(), error))
}

pub(crate) fn read<T: Document>(parent: &str, id: &str, body: &str) -> Result<T, StoreError> {
    let document: T = serde_json::from_str(body).map_err(|error| unreadable(T::KIND, id, error))?;
    Ok(document.of_parent(parent))
}

pub(crate) fn unreadable(kind: &'static str, id: &str, reason: serde_json::Error) -> StoreError {
    StoreError::Unreadable {
        kind,
        id: id.into(),
        reason: reason.to_string(),
    }
}
