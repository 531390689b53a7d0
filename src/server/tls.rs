//! The certificates of both planes, from the configuration's files.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

use tokio::runtime::Runtime;
use tollgate_proxy::net::tls::certificate::{CertificateFiles, Certificates};
use tollgate_proxy::net::tls::domains::DomainCertificates;
use tollgate_proxy::net::tls::{HTTP_1_1, ServerTls};

use crate::cli::failed::Failed;
use crate::config::Config;

/// What each plane shows its clients; without one it does not speak TLS.
#[derive(Clone)]
pub struct PlaneCertificates {
    pub data_plane: Option<Arc<Certificates>>,
    /// Of domain names, by the ARN that they name.
    pub by_arn: BTreeMap<String, Arc<Certificates>>,
    pub control_plane: Option<Arc<Certificates>>,
}

impl PlaneCertificates {
    /// What the data plane's clients are shown, by the names they ask for.
    pub fn domain_certificates(&self) -> Option<Arc<DomainCertificates>> {
        let default = Arc::clone(self.data_plane.as_ref()?);
        let by_arn = self.by_arn.clone();
        Some(Arc::new(DomainCertificates::new(default, by_arn)))
    }

    /// The ARNs that domain names may name; any, where the data plane does not speak TLS.
    pub fn arns(&self) -> Option<BTreeSet<String>> {
        self.data_plane.as_ref()?;
        Some(self.by_arn.keys().cloned().collect())
    }

    /// How the control plane speaks TLS, if it does: HTTP/1.1 only.
    pub fn control_plane_config(&self) -> Result<Option<Arc<ServerTls>>, Failed> {
        let certificates = self.control_plane.clone();
        let config = certificates.map(|own| ServerTls::new(own, &[HTTP_1_1]).map(Arc::new));
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
        let planes = planes.into_iter();
        let planes = planes.filter_map(|(setting, own)| Some((setting, own.as_ref()?)));
        let named = self.by_arn.iter().map(|(arn, own)| (arn.as_str(), own));
        let line = |(setting, certificates): (&str, &Arc<Certificates>)| {
            let end = certificates.expires_s();
            let end = jiff::Timestamp::from_second(end).map_or_else(
                |_| "later than anyone can say".into(),
                |end| end.to_string(),
            );
            format!("{setting} can be used until {end}")
        };
        planes.chain(named).map(line).collect()
    }

    /// When the certificates end, in Prometheus's text format.
    pub fn render(&self) -> String {
        let planes = [("data", &self.data_plane), ("control", &self.control_plane)];
        let planes = planes
            .into_iter()
            .filter_map(|(plane, own)| Some((format!("plane=\"{plane}\""), own.as_ref()?)));
        let named = self.by_arn.iter();
        let named = named.map(|(arn, own)| (format!("plane=\"data\",arn=\"{arn}\""), own));
        let mut text = String::new();
        for (labels, certificates) in planes.chain(named) {
            if text.is_empty() {
                text += "# HELP tollgate_tls_certificate_expires_seconds When the TLS certificate in force ends, in seconds since 1970.\n\
                         # TYPE tollgate_tls_certificate_expires_seconds gauge\n";
            }
            let end = certificates.expires_s();
            text += &format!("tollgate_tls_certificate_expires_seconds{{{labels}}} {end}\n");
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
        let planes = self.data_plane.iter().chain(second);
        planes.chain(self.by_arn.values())
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
    let mut by_arn = BTreeMap::new();
    for (arn, files) in &config.certificates {
        let loaded = Certificates::load(files.clone());
        let loaded = loaded.map_err(|bad| Failed::Failed(format!("certificates, {arn}: {bad}")))?;
        by_arn.insert(arn.clone(), loaded);
    }
    Ok(PlaneCertificates {
        data_plane,
        by_arn,
        control_plane,
    })
}

fn files(certificate: &Option<PathBuf>, key: &Option<PathBuf>) -> Option<CertificateFiles> {
    Some(CertificateFiles {
        certificate: certificate.clone()?,
        key: key.clone()?,
    })
}
