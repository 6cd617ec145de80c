//! `wharf template`: list and show the starting points of deployments.

use wharf_proto::v1::{GetTemplateRequest, ListTemplatesRequest, Template};

use super::listing::read_all;
use crate::{
    args::TemplateCommand,
    client::Client,
    failure::Failure,
    print::{self, Table},
};

/// Runs the command.
pub(crate) async fn run(client: &Client, command: &TemplateCommand) -> Result<u8, Failure> {
    match command {
        TemplateCommand::List(args) => {
            let templates = read_all(args, |options| async {
                let request = ListTemplatesRequest {
                    options: Some(options),
                };
                let page = client
                    .templates()
                    .list_templates(request)
                    .await?
                    .into_inner();
                Ok((page.templates, page.info))
            })
            .await?;
            let json = print::json_list(&templates)?;
            print::result(client.output(), &json, || {
                let mut table = Table::new(&["TEMPLATE", "NAME", "DESCRIPTION"]);
                for template in &templates {
                    table.row([&template.id, &template.name, &template.description]);
                }
                table.render()
            });
        }
        TemplateCommand::Show { template } => {
            let request = GetTemplateRequest {
                template_id: template.clone(),
            };
            let found = client.templates().get_template(request).await?.into_inner();
            let json = print::json(&found)?;
            print::result(client.output(), &json, || render(&found));
        }
    }
    Ok(0)
}

fn render(template: &Template) -> String {
    let mut text = format!(
        "template     {} ({})\ndescription  {}\n\n",
        template.id, template.name, template.description
    );
    let mut table = Table::new(&[
        "RESOURCE",
        "ENGINE",
        ">MEMORY",
        ">SMALLEST",
        ">LARGEST",
        ">DISK",
        ">ZONES",
        ">PER ZONE",
    ]);
    for resource in &template.resources {
        let size = resource.default_size.unwrap_or_default();
        let configuration = resource.instance_configuration.clone().unwrap_or_default();
        table.row([
            resource.kind.clone(),
            resource.engine.clone(),
            print::bytes(size.memory_bytes),
            print::bytes(configuration.min_memory_bytes),
            print::bytes(configuration.max_memory_bytes),
            print::bytes(size.disk_bytes),
            resource.zone_count.to_string(),
            resource.instances_per_zone.to_string(),
        ]);
    }
    text.push_str(&table.render());
    text
}
