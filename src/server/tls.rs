//! The certificates of both planes, from the configuration's files.

use std::path::PathBuf;
use std::sync::Arc;

use rustls::ServerConfig;
use tokio::runtime::Runtime;
use tollgate_proxy::net::tls::certificate::{CertificateFiles, Certificates};
use tollgate_proxy::net::tls::{HTTP_1_1, server_config};

use crate::cli::failed::Failed;
use crate::config::Config;

/// What each plane shows its clients; none speaks plain HTTP.
pub struct PlaneCertificates {
    pub data_plane: Option<Arc<Certificates>>,
    pub control_plane: Option<Arc<Certificates>>,
}

impl PlaneCertificates {
    /// How the control plane speaks TLS, if it does: HTTP/1.1 only.
    pub fn control_plane_config(&self) -> Result<Option<Arc<ServerConfig>>, Failed> {
        let certificates = self.control_plane.clone();
        let config = certificates.map(|own| server_config(own, &[HTTP_1_1]));
        config
            .transpose()
            .map_err(|error| Failed::Failed(format!("TLS cannot be set up: {error}")))
    }

    /// Looks for new certificates from now on, on the control plane's threads.
    pub fn follow(&self, runtime: &Runtime) {
        for certificates in [&self.data_plane, &self.control_plane]
            .into_iter()
            .flatten()
        {
            runtime.spawn(Arc::clone(certificates).follow());
        }
    }
}

/// Reads the certificates that are configured.
pub fn load(config: &Config) -> Result<PlaneCertificates, Failed> {
    let load = |files: Option<CertificateFiles>, setting: &str| {
        let loaded = files.map(Certificates::load).transpose();
        loaded.map_err(|bad| Failed::Failed(format!("{setting}: {bad}")))
    };
    Ok(PlaneCertificates {
        data_plane: load(data_plane_files(config), "tls_certificate")?,
        control_plane: load(control_plane_files(config), "control_tls_certificate")?,
    })
}

/// The data plane's files.
pub fn data_plane_files(config: &Config) -> Option<CertificateFiles> {
    files(&config.tls_certificate, &config.tls_key)
}

/// The control plane's files.
pub fn control_plane_files(config: &Config) -> Option<CertificateFiles> {
    files(&config.control_tls_certificate, &config.control_tls_key)
}

fn files(certificate: &Option<PathBuf>, key: &Option<PathBuf>) -> Option<CertificateFiles> {
    Some(CertificateFiles {
        certificate: certificate.clone()?,
        key: key.clone()?,
    })
}
