//! Which callers each gRPC method admits, read from the contracts themselves. A method that
//! declares nobody is not in the table, and the server refuses it.

use std::collections::BTreeMap;

use prost_reflect::{DescriptorPool, Value};

use crate::{DESCRIPTORS, v1::Caller};

/// Callers by the path of the method, `/wharf.v1.Deployments/GetDeployment`.
pub type AccessTable = BTreeMap<String, Vec<Caller>>;

/// Why the table could not be read; both mean that the binary was built wrongly.
#[derive(Debug, thiserror::Error)]
pub enum AccessError {
    /// The descriptor set inside the binary does not parse.
    #[error("the contracts inside this binary cannot be read: {0}")]
    Descriptors(#[from] prost_reflect::DescriptorError),
    /// The option is missing from the contracts.
    #[error("the contracts inside this binary lack the option wharf.v1.access")]
    NoOption,
}

/// Reads the table from the contracts.
///
/// # Errors
/// When the descriptor set inside the binary is broken.
pub fn access_table() -> Result<AccessTable, AccessError> {
    let pool = DescriptorPool::decode(DESCRIPTORS)?;
    let option = pool
        .get_extension_by_name("wharf.v1.access")
        .ok_or(AccessError::NoOption)?;
    let mut table = AccessTable::new();
    for service in pool.services() {
        for method in service.methods() {
            let options = method.options();
            let declared = options.get_extension(&option);
            let callers = declared
                .as_message()
                .and_then(|access| access.get_field_by_name("callers"))
                .map(|callers| callers_of(&callers))
                .unwrap_or_default();
            if !callers.is_empty() {
                table.insert(
                    format!("/{}/{}", service.full_name(), method.name()),
                    callers,
                );
            }
        }
    }
    Ok(table)
}

/// Full names of the services of a package, `wharf.v1`, for a server's reflection.
///
/// # Errors
/// When the descriptor set inside the binary is broken.
pub fn services_of(package: &str) -> Result<Vec<String>, AccessError> {
    let pool = DescriptorPool::decode(DESCRIPTORS)?;
    let names = pool
        .services()
        .filter(|service| service.package_name() == package)
        .map(|service| service.full_name().to_owned())
        .collect();
    Ok(names)
}

fn callers_of(value: &Value) -> Vec<Caller> {
    value
        .as_list()
        .unwrap_or_default()
        .iter()
        .filter_map(Value::as_enum_number)
        .filter_map(|number| Caller::try_from(number).ok())
        .filter(|caller| *caller != Caller::Unspecified)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_method_of_every_contract_declares_its_callers() {
        let table = access_table().unwrap();
        let pool = DescriptorPool::decode(DESCRIPTORS).unwrap();
        for service in pool.services() {
            for method in service.methods() {
                let path = format!("/{}/{}", service.full_name(), method.name());
                assert!(table.contains_key(&path), "{path} declares no caller");
            }
        }
    }

    #[test]
    fn each_package_has_its_services() {
        let ours = services_of("wharf.v1").unwrap();
        assert!(
            ours.contains(&"wharf.v1.Deployments".to_owned()),
            "{ours:?}"
        );
        let monitor = services_of("wharf.monitor.v1").unwrap();
        assert!(
            monitor.contains(&"wharf.monitor.v1.Watches".to_owned())
                && monitor.iter().all(|name| !ours.contains(name)),
            "{monitor:?}"
        );
    }

    #[test]
    fn the_credentials_are_for_platform_admins_alone() {
        let table = access_table().unwrap();
        assert_eq!(
            table["/wharf.v1.Deployments/GetCredentials"],
            [Caller::PlatformAdmin],
            "credentials must be readable by platform admins and nobody else"
        );
    }
}
