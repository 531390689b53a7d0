//! The certificates of both planes, from the configuration's files.

use std::path::PathBuf;
use std::sync::Arc;

use rustls::ServerConfig;
use tokio::runtime::Runtime;
use tollgate_proxy::net::tls::certificate::{CertificateFiles, Certificates};
use tollgate_proxy::net::tls::{HTTP_1_1, server_config};

use crate::cli::failed::Failed;
use crate::config::Config;

/// What each plane shows its clients; without one it does not speak TLS.
#[derive(Clone)]
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

    /// A line for each certificate that says when it ends.
    pub fn ends(&self) -> Vec<String> {
        let planes = [
            ("tls_certificate", &self.data_plane),
            ("control_tls_certificate", &self.control_plane),
        ];
        let line = |(setting, certificates): (&str, &Option<Arc<Certificates>>)| {
            let end = certificates.as_ref()?.expires_s();
            let end = jiff::Timestamp::from_second(end).map_or_else(
                |_| "later than anyone can say".into(),
                |end| end.to_string(),
            );
            Some(format!("{setting} can be used until {end}"))
        };
        planes.into_iter().filter_map(line).collect()
    }

    /// When the certificates end, in Prometheus's text format.
    pub fn render(&self) -> String {
        let planes = [("data", &self.data_plane), ("control", &self.control_plane)];
        let mut text = String::new();
        for (plane, certificates) in planes {
            if let Some(certificates) = certificates {
                if text.is_empty() {
                    text += "# HELP tollgate_tls_certificate_expires_seconds When the TLS certificate in force ends, in seconds since 1970.\n\
                             # TYPE tollgate_tls_certificate_expires_seconds gauge\n";
                }
                let end = certificates.expires_s();
                text += &format!(
                    "tollgate_tls_certificate_expires_seconds{{plane=\"{plane}\"}} {end}\n"
                );
            }
        }
        text
    }

    /// Looks for new certificates from now on, on the control plane's threads.
    pub fn follow(&self, runtime: &Runtime) {
        for certificates in self.distinct() {
            runtime.spawn(Arc::clone(certificates).follow());
        }
    }

    /// Each pair of files once, although both planes may show the same certificate.
    fn distinct(&self) -> impl Iterator<Item = &Arc<Certificates>> {
        let is_shared = match (&self.data_plane, &self.control_plane) {
            (Some(one), Some(other)) => Arc::ptr_eq(one, other),
            _ => false,
        };
        let second = self.control_plane.iter().filter(move |_| !is_shared);
        self.data_plane.iter().chain(second)
    }

    /// Reads the files again now.
    pub fn reload(&self) {
        self.distinct()
            .for_each(|certificates| certificates.reload());
    }

    /// Tells the log what is wrong with certificates that can be served.
    pub fn warn(&self) {
        self.distinct().for_each(|certificates| certificates.warn());
    }

    /// What is wrong with them, for a person.
    pub fn troubles(&self) -> Vec<String> {
        self.distinct()
            .flat_map(|certificates| certificates.troubles())
            .collect()
    }
}

/// Reads the certificates that are configured.
pub fn load(config: &Config) -> Result<PlaneCertificates, Failed> {
    let load = |files: Option<CertificateFiles>, setting: &str| {
        let loaded = files.map(Certificates::load).transpose();
        loaded.map_err(|bad| Failed::Failed(format!("{setting}: {bad}")))
    };
    let data_plane = load(
        files(&config.tls_certificate, &config.tls_key),
        "tls_certificate",
    )?;
    let control_files = files(&config.control_tls_certificate, &config.control_tls_key);
    let shared = data_plane
        .clone()
        .filter(|own| control_files.as_ref() == Some(own.files()));
    let control_plane = match shared {
        Some(shared) => Some(shared),
        None => load(control_files, "control_tls_certificate")?,
    };
    Ok(PlaneCertificates {
        data_plane,
        control_plane,
    })
}

fn files(certificate: &Option<PathBuf>, key: &Option<PathBuf>) -> Option<CertificateFiles> {
    Some(CertificateFiles {
        certificate: certificate.clone()?,
        key: key.clone()?,
    })
}
