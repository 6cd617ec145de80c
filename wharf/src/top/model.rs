//! What `wharf top` holds: rows, order, filter, selection; and how a key changes them. Pure.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use wharf_proto::v1::Container;

use crate::args::TopSort;

const ORDER: [TopSort; 5] = [
    TopSort::Cpu,
    TopSort::Memory,
    TopSort::Network,
    TopSort::Block,
    TopSort::Name,
];

/// What is to be done after a key.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum After {
    Quit,
    /// The question changed: ask the director again.
    Read,
    Draw,
}

/// The state of the table.
#[derive(Debug)]
pub(super) struct Model {
    containers: Vec<Container>,
    sort: TopSort,
    reversed: bool,
    filter: String,
    typing: Option<String>,
    selected: usize,
    paused: bool,
    complaint: String,
    hosts: String,
}

impl Model {
    pub(super) fn new(sort: TopSort, filter: String) -> Self {
        Self {
            containers: Vec::new(),
            sort,
            reversed: false,
            filter,
            typing: None,
            selected: 0,
            paused: false,
            complaint: String::new(),
            hosts: String::new(),
        }
    }

    /// Takes a fresh reading.
    pub(super) fn show(&mut self, containers: Vec<Container>) {
        self.containers = containers;
        self.complaint.clear();
        self.selected = self.selected.min(self.containers.len().saturating_sub(1));
    }

    /// What is to be known of hosts, in a line; empty when nothing is.
    pub(super) fn show_hosts(&mut self, hosts: String) {
        self.hosts = hosts;
    }

    pub(super) fn hosts(&self) -> &str {
        &self.hosts
    }

    /// Keeps the old rows and says why they are old.
    pub(super) fn complain(&mut self, complaint: String) {
        self.complaint = complaint;
    }

    pub(super) fn complaint(&self) -> &str {
        &self.complaint
    }

    pub(super) fn filter(&self) -> &str {
        &self.filter
    }

    pub(super) fn typing(&self) -> Option<&str> {
        self.typing.as_deref()
    }

    pub(super) fn sort(&self) -> (TopSort, bool) {
        (self.sort, self.reversed)
    }

    pub(super) fn selected(&self) -> usize {
        self.selected
    }

    pub(super) fn paused(&self) -> bool {
        self.paused
    }

    /// Rows in order. Equal ones are ordered by name, so that the table does not jump.
    pub(super) fn rows(&self) -> Vec<&Container> {
        let mut rows: Vec<&Container> = self.containers.iter().collect();
        rows.sort_by(|a, b| {
            let by_size = |of: fn(&Container) -> f64| of(b).total_cmp(&of(a));
            let order = match self.sort {
                TopSort::Cpu => by_size(cpu),
                TopSort::Memory => by_size(memory),
                TopSort::Network => by_size(network),
                TopSort::Block => by_size(block),
                TopSort::Name => std::cmp::Ordering::Equal,
            };
            let order = order
                .then_with(|| a.name.cmp(&b.name))
                .then_with(|| a.id.cmp(&b.id));
            if self.reversed {
                order.reverse()
            } else {
                order
            }
        });
        rows
    }

    /// Changes the table as a key asks.
    pub(super) fn key(&mut self, key: KeyEvent) -> After {
        if key.modifiers.contains(KeyModifiers::CONTROL) && key.code == KeyCode::Char('c') {
            return After::Quit;
        }
        if let Some(mut text) = self.typing.take() {
            match key.code {
                KeyCode::Enter => {
                    self.filter = text;
                    return After::Read;
                }
                KeyCode::Esc => return After::Draw,
                KeyCode::Backspace => {
                    text.pop();
                }
                KeyCode::Char(c) if text.len() < 200 => text.push(c),
                _ => {}
            }
            self.typing = Some(text);
            return After::Draw;
        }
        let last = self.containers.len().saturating_sub(1);
        match key.code {
            KeyCode::Char('q') | KeyCode::Esc => return After::Quit,
            KeyCode::Char('s') => {
                let at = ORDER
                    .iter()
                    .position(|sort| *sort == self.sort)
                    .unwrap_or(0);
                self.sort = ORDER[(at + 1) % ORDER.len()];
            }
            KeyCode::Char('r') => self.reversed = !self.reversed,
            KeyCode::Char('/') => self.typing = Some(self.filter.clone()),
            KeyCode::Char(' ') => self.paused = !self.paused,
            KeyCode::Char('j') | KeyCode::Down => self.selected = (self.selected + 1).min(last),
            KeyCode::Char('k') | KeyCode::Up => self.selected = self.selected.saturating_sub(1),
            KeyCode::PageDown => self.selected = (self.selected + 20).min(last),
            KeyCode::PageUp => self.selected = self.selected.saturating_sub(20),
            KeyCode::Home => self.selected = 0,
            KeyCode::End => self.selected = last,
            _ => {}
        }
        After::Draw
    }
}

fn cpu(container: &Container) -> f64 {
    container
        .sample
        .as_ref()
        .map_or(-1.0, |sample| sample.cpu_percent)
}

#[allow(clippy::cast_precision_loss)]
fn memory(container: &Container) -> f64 {
    container
        .sample
        .as_ref()
        .map_or(-1.0, |sample| sample.memory_bytes as f64)
}

fn network(container: &Container) -> f64 {
    container.sample.as_ref().map_or(-1.0, |sample| {
        sample.network_in_bytes_per_second + sample.network_out_bytes_per_second
    })
}

fn block(container: &Container) -> f64 {
    container.sample.as_ref().map_or(-1.0, |sample| {
        sample.block_read_bytes_per_second + sample.block_write_bytes_per_second
    })
}

#[cfg(test)]
mod tests {
    use wharf_proto::v1::ContainerSample;

    use super::*;

    fn container(name: &str, cpu_percent: f64, memory_bytes: u64) -> Container {
        Container {
            name: name.to_owned(),
            sample: Some(ContainerSample {
                cpu_percent,
                memory_bytes,
                ..Default::default()
            }),
            ..Default::default()
        }
    }

    fn model() -> Model {
        let mut model = Model::new(TopSort::Cpu, String::new());
        model.show(vec![
            container("a", 1.0, 30),
            container("b", 9.0, 10),
            container("c", 1.0, 20),
            Container {
                name: "stopped".into(),
                ..Default::default()
            },
        ]);
        model
    }

    fn names(model: &Model) -> Vec<&str> {
        model.rows().iter().map(|row| row.name.as_str()).collect()
    }

    fn press(model: &mut Model, code: KeyCode) -> After {
        model.key(KeyEvent::new(code, KeyModifiers::NONE))
    }

    #[test]
    fn the_busiest_comes_first_equals_by_name_and_those_without_a_sample_last() {
        assert_eq!(names(&model()), ["b", "a", "c", "stopped"]);
    }

    #[test]
    fn s_goes_through_every_order_and_r_turns_it_round() {
        let mut model = model();
        press(&mut model, KeyCode::Char('s'));
        assert_eq!(names(&model), ["a", "c", "b", "stopped"], "by memory");
        press(&mut model, KeyCode::Char('r'));
        assert_eq!(names(&model), ["stopped", "b", "c", "a"]);
        for _ in 0..4 {
            press(&mut model, KeyCode::Char('s'));
        }
        assert_eq!(model.sort(), (TopSort::Cpu, true));
    }

    #[test]
    fn a_typed_filter_is_asked_for_and_escape_keeps_the_old_one() {
        let mut model = model();
        press(&mut model, KeyCode::Char('/'));
        for c in "web".chars() {
            press(&mut model, KeyCode::Char(c));
        }
        assert_eq!(press(&mut model, KeyCode::Enter), After::Read);
        assert_eq!(model.filter(), "web");
        press(&mut model, KeyCode::Char('/'));
        press(&mut model, KeyCode::Char('x'));
        assert_eq!(press(&mut model, KeyCode::Esc), After::Draw);
        assert_eq!(model.filter(), "web");
    }

    #[test]
    fn the_selection_stays_on_the_rows_when_they_become_fewer() {
        let mut model = model();
        press(&mut model, KeyCode::End);
        assert_eq!(model.selected(), 3);
        model.show(vec![container("a", 1.0, 1)]);
        assert_eq!(model.selected(), 0);
    }
}
