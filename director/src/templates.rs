//! The templates inside the binary: `deploy/templates/*.yaml`, read and checked at start. Not here:
//! what a template means (`wharf_director_core::template`).

use wharf_director_core::{
    refusal::Refusal,
    template::{Template, TemplateCatalog},
};

const SHIPPED: [(&str, &str); 1] = [(
    "observability.yaml",
    include_str!("../../deploy/templates/observability.yaml"),
)];

/// Why the shipped templates cannot be used; the binary was built wrongly.
#[derive(Debug, thiserror::Error)]
pub enum TemplatesError {
    /// It is no template.
    #[error("the shipped template {file} cannot be read: {source}")]
    Yaml {
        /// The file.
        file: &'static str,
        /// Where and what.
        source: serde_yaml_ng::Error,
    },
    /// It contradicts itself.
    #[error(transparent)]
    Broken(#[from] Refusal),
}

/// The catalog of what is shipped.
///
/// # Errors
/// When a file is no template.
pub fn shipped() -> Result<TemplateCatalog, TemplatesError> {
    let templates = SHIPPED
        .iter()
        .map(|&(file, text)| {
            serde_yaml_ng::from_str::<Template>(text)
                .map_err(|source| TemplatesError::Yaml { file, source })
        })
        .collect::<Result<Vec<_>, _>>()?;
    Ok(TemplateCatalog::new(templates)?)
}

#[cfg(test)]
mod tests {
    #[test]
    fn every_shipped_template_is_usable() {
        assert!(super::shipped().unwrap().get("observability").is_some());
    }
}
