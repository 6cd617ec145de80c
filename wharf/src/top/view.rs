//! How `wharf top` looks: one page of text for `--once`, a ratatui frame when live. Columns are
//! the same in both.

use ratatui::{
    Frame,
    layout::{Constraint, Layout},
    style::{Color, Modifier, Style},
    text::{Line, Span},
    widgets::{Cell, Paragraph, Row, Table, TableState},
};
use wharf_proto::v1::Container;

use super::model::Model;
use crate::{
    args::TopSort,
    print::{self, Table as TextTable},
};

fn cells(container: &Container) -> Vec<String> {
    let sample = container.sample.as_ref();
    let or_dash = |text: &str| {
        if text.is_empty() {
            "-".to_owned()
        } else {
            text.to_owned()
        }
    };
    let pair = |values: Option<(u64, u64)>| {
        values.map_or_else(
            || "-".to_owned(),
            |(a, b)| format!("{} / {}", print::bytes(a), print::bytes(b)),
        )
    };
    vec![
        container.name.clone(),
        sample.map_or_else(
            || container.state.clone(),
            |sample| format!("{:.1}", sample.cpu_percent),
        ),
        sample.map_or_else(
            || "-".to_owned(),
            |sample| print::bytes(sample.memory_bytes),
        ),
        sample.map_or_else(
            || "-".to_owned(),
            |sample| print::bytes(sample.memory_limit_bytes),
        ),
        pair(sample.map(|sample| (sample.network_in_bytes, sample.network_out_bytes))),
        pair(sample.map(|sample| (sample.block_read_bytes, sample.block_write_bytes))),
        or_dash(&container.application),
        or_dash(&container.deployment_name),
        container.host.clone(),
        container.image.clone(),
    ]
}

/// One page of text.
pub(super) fn page(model: &Model) -> String {
    let mut table = TextTable::new(&[
        "NAME",
        ">CPU %",
        ">MEMORY",
        ">LIMIT",
        ">NET IN / OUT",
        ">BLOCK READ / WRITTEN",
        "APPLICATION",
        "DEPLOYMENT",
        "HOST",
        "IMAGE",
    ]);
    for container in model.rows() {
        table.row(cells(container));
    }
    let mut text = table.render();
    if !model.hosts().is_empty() {
        text.push_str(&format!("\n{}\n", print::printable(model.hosts())));
    }
    text
}

const HEADINGS: [(&str, Option<TopSort>); 10] = [
    ("NAME", Some(TopSort::Name)),
    ("CPU %", Some(TopSort::Cpu)),
    ("MEMORY", Some(TopSort::Memory)),
    ("LIMIT", None),
    ("NET IN / OUT", Some(TopSort::Network)),
    ("READ / WRITTEN", Some(TopSort::Block)),
    ("APPLICATION", None),
    ("DEPLOYMENT", None),
    ("HOST", None),
    ("IMAGE", None),
];

/// Draws one frame.
pub(super) fn draw(frame: &mut Frame<'_>, model: &Model) {
    let [head, body, foot] = Layout::vertical([
        Constraint::Length(1),
        Constraint::Min(3),
        Constraint::Length(1),
    ])
    .areas(frame.area());
    let rows = model.rows();
    let busy: f64 = rows
        .iter()
        .filter_map(|row| row.sample.as_ref())
        .map(|sample| sample.cpu_percent)
        .sum();
    let memory: u64 = rows
        .iter()
        .filter_map(|row| row.sample.as_ref())
        .map(|sample| sample.memory_bytes)
        .sum();
    let strong = Style::new().add_modifier(Modifier::BOLD);
    let mut title = vec![
        Span::styled(" wharf top ", strong),
        Span::raw(format!(
            " {} containers   cpu {busy:.1} %   memory {}",
            rows.len(),
            print::bytes(memory)
        )),
    ];
    if !model.hosts().is_empty() {
        title.push(Span::styled(
            format!("   {}", print::printable(model.hosts())),
            Style::new().fg(Color::Yellow),
        ));
    }
    if !model.filter().is_empty() {
        title.push(Span::raw(format!("   filter: {}", model.filter())));
    }
    if model.paused() {
        title.push(Span::styled("   paused", Style::new().fg(Color::Yellow)));
    }
    frame.render_widget(Paragraph::new(Line::from(title)), head);

    let (sort, reversed) = model.sort();
    let header = Row::new(HEADINGS.map(|(name, column)| {
        if column == Some(sort) {
            Cell::from(format!("{name} {}", if reversed { "^" } else { "v" }))
                .style(strong.fg(Color::Cyan))
        } else {
            Cell::from(name).style(strong)
        }
    }));
    let widths = [
        Constraint::Fill(3),
        Constraint::Length(9),
        Constraint::Length(11),
        Constraint::Length(11),
        Constraint::Length(22),
        Constraint::Length(22),
        Constraint::Fill(2),
        Constraint::Length(12),
        Constraint::Length(12),
        Constraint::Fill(2),
    ];
    let table = Table::new(
        rows.iter().map(|container| {
            let style = match container.sample.as_ref() {
                None => Style::new().fg(Color::DarkGray),
                Some(sample) if sample.cpu_percent >= 90.0 => Style::new().fg(Color::Red),
                Some(_) => Style::new(),
            };
            Row::new(
                cells(container)
                    .into_iter()
                    .map(|cell| print::printable(&cell)),
            )
            .style(style)
        }),
        widths,
    )
    .header(header)
    .row_highlight_style(Style::new().add_modifier(Modifier::REVERSED));
    let mut state = TableState::default().with_selected(Some(model.selected()));
    frame.render_stateful_widget(table, body, &mut state);

    let foot_line = match model.typing() {
        Some(text) => Line::from(format!(
            " filter: {text}_   enter takes it, esc keeps the old one"
        )),
        None if !model.complaint().is_empty() => Line::styled(
            format!(" {}", print::printable(model.complaint())),
            Style::new().fg(Color::Red),
        ),
        None => Line::styled(
            " q quit  s sort  r reverse  / filter  j k move  space pause",
            Style::new().fg(Color::DarkGray),
        ),
    };
    frame.render_widget(Paragraph::new(foot_line), foot);
}

#[cfg(test)]
mod tests {
    use ratatui::{Terminal, backend::TestBackend};
    use wharf_proto::v1::ContainerSample;

    use super::*;

    fn model() -> Model {
        let mut model = Model::new(TopSort::Cpu, String::new());
        model.show(vec![Container {
            name: "web-1".into(),
            application: "shop/web".into(),
            image: "nginx:1".into(),
            sample: Some(ContainerSample {
                cpu_percent: 12.34,
                memory_bytes: 3 * 1024 * 1024,
                ..Default::default()
            }),
            ..Default::default()
        }]);
        model
    }

    #[test]
    fn a_page_has_the_name_cpu_memory_application_and_image() {
        let page = page(&model());
        for text in [
            "web-1",
            "12.3",
            "3.0 MiB",
            "shop/web",
            "nginx:1",
            "DEPLOYMENT",
        ] {
            assert!(page.contains(text), "the page lacks `{text}`:\n{page}");
        }
    }

    #[test]
    fn hosts_that_are_not_as_they_should_be_are_named_on_page_and_frame() {
        let mut model = model();
        assert!(!page(&model).contains("hosts:"));
        model.show_hosts("hosts: 1 silent".into());
        assert!(page(&model).ends_with("\nhosts: 1 silent\n"));
        let mut terminal = Terminal::new(TestBackend::new(200, 10)).unwrap();
        terminal.draw(|frame| draw(frame, &model)).unwrap();
        let cells = terminal.backend().buffer().content().iter();
        let text: String = cells.map(|cell| cell.symbol()).collect();
        assert!(text.contains("hosts: 1 silent"), "the frame lacks it");
    }

    #[test]
    fn a_frame_shows_the_rows_and_marks_the_sorted_column() {
        let mut terminal = Terminal::new(TestBackend::new(200, 10)).unwrap();
        terminal.draw(|frame| draw(frame, &model())).unwrap();
        let text: String = terminal
            .backend()
            .buffer()
            .content()
            .iter()
            .map(|cell| cell.symbol())
            .collect();
        for part in ["1 containers", "CPU % v", "web-1", "12.3", "q quit"] {
            assert!(text.contains(part), "the frame lacks `{part}`");
        }
    }
}
