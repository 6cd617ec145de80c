//! `wharf api`: any method of the director's people's services by its name, with JSON. What the
//! method is comes from the contracts inside the binary. Not here: methods of machines, which need a
//! role's certificate.

use std::io::Read;

use serde_json::json;
use wharf_proto::{methods::Method, v1::Caller};

use crate::{
    args::{ApiArgs, Output},
    client::Client,
    failure::Failure,
    print::{self, Table},
};

/// Largest request that is read.
const MAX_REQUEST_BYTES: u64 = 4 << 20;
/// Methods that an error names.
const SHOWN: usize = 8;

/// Runs the command; without a method it needs no director.
pub(crate) async fn run(client: &Client, args: &ApiArgs) -> Result<u8, Failure> {
    let Some(name) = &args.method else {
        return Ok(0);
    };
    let method = find(&methods()?, name)?;
    let text = match args.request.as_deref() {
        None => "{}".to_owned(),
        Some("-") => read_request()?,
        Some(text) => text.to_owned(),
    };
    let request = method.encode(&text).map_err(|error| {
        Failure::new(
            "CLI0031",
            format!("the request of {}: {error}", method.name()),
            format!(
                "the fields are in proto/{}/",
                method.package().replace('.', "/")
            ),
        )
    })?;
    let limit = usize::try_from(args.max_answer_mib << 20).unwrap_or(usize::MAX);
    let mut answers = client.call(&method, request, limit).await?;
    while let Some(bytes) = answers.message().await? {
        let value = method
            .decode(&bytes)
            .map_err(|error| Failure::new("CLI0002", error.to_string(), ""))?;
        if method.streams_answers() && client.output() != Output::Yaml {
            print::line(&value.to_string());
        } else if client.output() == Output::Yaml && method.streams_answers() {
            print::out("---\n");
            print::result(Output::Yaml, &value, String::new);
        } else {
            print::result(client.output(), &value, || format!("{value:#}\n"));
        }
    }
    Ok(0)
}

/// Prints every method that a person may call.
pub(crate) fn list(output: Output) -> Result<u8, Failure> {
    let methods: Vec<Method> = methods()?
        .into_iter()
        .filter(Method::is_for_people)
        .collect();
    let json = methods
        .iter()
        .map(|method| {
            json!({
                "method": method.name(),
                "request": method.request(),
                "answer": method.answer(),
                "streams": method.streams_answers(),
                "callers": method.callers.iter().map(Caller::as_str_name).collect::<Vec<_>>(),
            })
        })
        .collect();
    print::result(output, &json, || {
        let mut table = Table::new(&["METHOD", "ANSWER", "CALLERS"]);
        for method in &methods {
            let callers: Vec<String> = method
                .callers
                .iter()
                .map(|caller| print::word(caller.as_str_name(), "CALLER_"))
                .collect();
            table.row([
                method.name(),
                if method.streams_answers() {
                    "stream"
                } else {
                    "one"
                }
                .to_owned(),
                callers.join(", "),
            ]);
        }
        table.render()
    });
    Ok(0)
}

/// The methods that a director serves.
fn methods() -> Result<Vec<Method>, Failure> {
    let all = wharf_proto::methods::methods()
        .map_err(|error| Failure::new("CLI0002", error.to_string(), ""))?;
    Ok(all
        .into_iter()
        .filter(|method| method.package() == "wharf.v1")
        .collect())
}

fn find(methods: &[Method], name: &str) -> Result<Method, Failure> {
    let found: Vec<&Method> = methods
        .iter()
        .filter(|method| method.is_named(name))
        .collect();
    match found.as_slice() {
        [one] if one.is_for_people() && !one.streams_requests() => Ok((*one).clone()),
        [one] => Err(Failure::new(
            "CLI0031",
            format!("{} is for the platform's machines", one.name()),
            "wharf api",
        )),
        [] => Err(Failure::new(
            "CLI0031",
            format!("no method is named `{}`", print::printable(name)),
            "`wharf api` lists the methods",
        )
        .exit(crate::failure::EXIT_NOT_FOUND)),
        several => {
            let names: Vec<String> = several.iter().take(SHOWN).map(|m| m.name()).collect();
            Err(Failure::new(
                "CLI0031",
                format!("`{}` names several methods", print::printable(name)),
                format!("give more of the name: {}", names.join(", ")),
            ))
        }
    }
}

fn read_request() -> Result<String, Failure> {
    let refused = |message: String| Failure::new("CLI0031", message, "");
    let mut text = String::new();
    std::io::stdin()
        .lock()
        .take(MAX_REQUEST_BYTES + 1)
        .read_to_string(&mut text)
        .map_err(|error| refused(format!("cannot read the request: {error}")))?;
    if text.len() as u64 > MAX_REQUEST_BYTES {
        return Err(refused(format!(
            "the request is larger than {} MiB",
            MAX_REQUEST_BYTES >> 20
        )));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_method_is_found_by_the_end_of_its_name() {
        let methods = methods().unwrap();
        let found = find(&methods, "Platform/GetStatus").unwrap();
        assert_eq!(found.name(), "wharf.v1.Platform/GetStatus");
    }

    #[test]
    fn an_unknown_method_and_one_of_machines_are_told_apart() {
        let methods = methods().unwrap();
        let unknown = find(&methods, "Platform/GetNothing").unwrap_err();
        assert_eq!(unknown.exit, crate::failure::EXIT_NOT_FOUND);
        let machines = find(&methods, "AllocatorSession/Session").unwrap_err();
        assert!(machines.message.contains("machines"), "{machines}");
    }
}
