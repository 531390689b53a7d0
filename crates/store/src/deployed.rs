//! Every stage with what its deployment froze, for those who look at all of them; also beside a server.

use std::ops::ControlFlow;
use std::path::Path;

use tollgate_entity::{DeploymentContent, Stage};

use crate::database::Database;
use crate::document::read;
use crate::{Reader, StoreError};

impl Reader<'_> {
    /// Shows every stage with its deployment's content, one at a time, by API and name.
    pub fn each_deployed_stage(
        &self,
        see: impl FnMut(Stage, DeploymentContent),
    ) -> Result<(), StoreError> {
        each(self.database, see)
    }
}

/// The same for a data directory that this process does not hold. Changes nothing in it.
pub fn each_deployed_stage(
    data_dir: &Path,
    see: impl FnMut(Stage, DeploymentContent),
) -> Result<(), StoreError> {
    each(&Database::open_reader(&data_dir.join("config.db"))?, see)
}

fn each(
    database: &Database,
    mut see: impl FnMut(Stage, DeploymentContent),
) -> Result<(), StoreError> {
    let sql = "SELECT stage.parent, stage.id, stage.body, content.id, content.body
               FROM document AS stage JOIN document AS content
               ON content.kind = 'deployment_content' AND content.parent = json_extract(stage.body, '$.deploymentId')
               AND content.id = content.parent
               WHERE stage.kind = 'stage' ORDER BY stage.parent, stage.id";
    database.each(sql, (), |row| {
        let stage = read::<Stage>(row.text(0)?, row.text(1)?, row.text(2)?)?;
        let deployment = row.text(3)?;
        let content = read::<DeploymentContent>(deployment, deployment, row.text(4)?)?;
        see(stage, content);
        Ok::<_, StoreError>(ControlFlow::Continue(()))
    })
}
