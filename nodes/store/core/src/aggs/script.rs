//! The arithmetic that `bucket_script` and `bucket_selector` take.
//!
//! Numbers, `params.x`, `+ - * / %`, comparisons, `&& || !`, `?:`, parentheses and a few functions
//! of `Math`. Invariants: evaluation always ends and never panics; anything else of Painless is
//! refused by name. Not here: where the values come from.

use crate::error::EsError;

const MAX_SOURCE: usize = 4096;
const MAX_DEPTH: usize = 64;

/// A parsed expression with its constants.
#[derive(Clone, Debug)]
pub struct Script {
    root: Node,
    params: Vec<(String, f64)>,
}

#[derive(Clone, Debug)]
enum Node {
    Number(f64),
    Name(String),
    Unary(char, Box<Node>),
    Binary(&'static str, Box<Node>, Box<Node>),
    Choice(Box<Node>, Box<Node>, Box<Node>),
    Call(&'static str, Vec<Node>),
}

const FUNCTIONS: [(&str, usize); 13] = [
    ("abs", 1),
    ("ceil", 1),
    ("floor", 1),
    ("round", 1),
    ("sqrt", 1),
    ("log", 1),
    ("log10", 1),
    ("exp", 1),
    ("min", 2),
    ("max", 2),
    ("pow", 2),
    ("signum", 1),
    ("cbrt", 1),
];

const LEVELS: [&[&str]; 6] = [
    &["||"],
    &["&&"],
    &["==", "!="],
    &["<=", ">=", "<", ">"],
    &["+", "-"],
    &["*", "/", "%"],
];

impl Script {
    /// Parses a source.
    pub fn parse(source: &str, params: Vec<(String, f64)>) -> Result<Self, EsError> {
        if source.len() > MAX_SOURCE {
            return Err(EsError::illegal_argument(format!(
                "script is longer than [{MAX_SOURCE}]"
            )));
        }
        let text = source.trim();
        let text = text.strip_prefix("return ").unwrap_or(text);
        let text = text.trim_end_matches(';').trim_end();
        let mut reader = Reader {
            text,
            at: 0,
            depth: 0,
        };
        let root = reader.choice()?;
        reader.blank();
        if reader.at < text.len() {
            return Err(reader.refuse());
        }
        Ok(Self { root, params })
    }

    /// The value with these variables; truth is 1.
    pub fn evaluate(&self, variables: &[(String, f64)]) -> Option<f64> {
        let value = self.node(&self.root, variables)?;
        Some(value)
    }

    fn node(&self, node: &Node, variables: &[(String, f64)]) -> Option<f64> {
        Some(match node {
            Node::Number(n) => *n,
            Node::Name(name) => {
                let known = variables
                    .iter()
                    .chain(&self.params)
                    .find(|(known, _)| known == name)?;
                known.1
            }
            Node::Unary('!', inner) => f64::from(self.node(inner, variables)? == 0.0),
            Node::Unary(_, inner) => -self.node(inner, variables)?,
            Node::Choice(test, yes, no) => {
                if self.node(test, variables)? != 0.0 {
                    self.node(yes, variables)?
                } else {
                    self.node(no, variables)?
                }
            }
            Node::Binary(op, left, right) => {
                let a = self.node(left, variables)?;
                let b = self.node(right, variables)?;
                match *op {
                    "+" => a + b,
                    "-" => a - b,
                    "*" => a * b,
                    "/" => a / b,
                    "%" => a % b,
                    "==" => f64::from(a == b),
                    "!=" => f64::from(a != b),
                    "<" => f64::from(a < b),
                    ">" => f64::from(a > b),
                    "<=" => f64::from(a <= b),
                    ">=" => f64::from(a >= b),
                    "&&" => f64::from(a != 0.0 && b != 0.0),
                    _ => f64::from(a != 0.0 || b != 0.0),
                }
            }
            Node::Call(name, args) => {
                let a = self.node(&args[0], variables)?;
                let b = match args.get(1) {
                    Some(arg) => self.node(arg, variables)?,
                    None => 0.0,
                };
                match *name {
                    "abs" => a.abs(),
                    "ceil" => a.ceil(),
                    "floor" => a.floor(),
                    "round" => (a + 0.5).floor(),
                    "sqrt" => a.sqrt(),
                    "log" => a.ln(),
                    "log10" => a.log10(),
                    "exp" => a.exp(),
                    "min" => a.min(b),
                    "max" => a.max(b),
                    "pow" => a.powf(b),
                    "cbrt" => a.cbrt(),
                    _ => {
                        if a == 0.0 {
                            0.0
                        } else {
                            a.signum()
                        }
                    }
                }
            }
        })
    }
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
    depth: usize,
}

impl<'a> Reader<'a> {
    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn blank(&mut self) {
        let rest = self.rest();
        self.at += rest.len() - rest.trim_start().len();
    }

    fn refuse(&self) -> EsError {
        let shown: String = self.text.chars().take(200).collect();
        EsError::unsupported(format!("script {shown}"))
    }

    fn eat(&mut self, word: &str) -> bool {
        self.blank();
        let hit = self.rest().starts_with(word);
        if hit {
            self.at += word.len();
        }
        hit
    }

    fn choice(&mut self) -> Result<Node, EsError> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(self.refuse());
        }
        let test = self.level(0)?;
        let node = if self.eat("?") {
            let yes = self.choice()?;
            if !self.eat(":") {
                return Err(self.refuse());
            }
            let no = self.choice()?;
            Node::Choice(Box::new(test), Box::new(yes), Box::new(no))
        } else {
            test
        };
        self.depth -= 1;
        Ok(node)
    }

    fn level(&mut self, at: usize) -> Result<Node, EsError> {
        let Some(operators) = LEVELS.get(at) else {
            return self.unary();
        };
        let mut left = self.level(at + 1)?;
        let mut count = 0;
        while let Some(op) = operators.iter().find(|op| self.eat(op)) {
            count += 1;
            if count > 256 {
                return Err(self.refuse());
            }
            let right = self.level(at + 1)?;
            left = Node::Binary(op, Box::new(left), Box::new(right));
        }
        Ok(left)
    }

    fn unary(&mut self) -> Result<Node, EsError> {
        self.blank();
        let sign = self
            .rest()
            .chars()
            .next()
            .filter(|c| matches!(c, '-' | '!'));
        if let Some(sign) = sign {
            self.at += 1;
            self.depth += 1;
            if self.depth > MAX_DEPTH {
                return Err(self.refuse());
            }
            let inner = self.unary()?;
            self.depth -= 1;
            return Ok(Node::Unary(sign, Box::new(inner)));
        }
        if self.eat("(") {
            let inner = self.choice()?;
            return if self.eat(")") {
                Ok(inner)
            } else {
                Err(self.refuse())
            };
        }
        self.atom()
    }

    fn atom(&mut self) -> Result<Node, EsError> {
        self.blank();
        let rest = self.rest();
        let digits = rest
            .find(|c: char| !c.is_ascii_digit() && c != '.')
            .unwrap_or(rest.len());
        if digits > 0 && rest.starts_with(|c: char| c.is_ascii_digit() || c == '.') {
            let number = rest[..digits].parse().map_err(|_| self.refuse())?;
            self.at += digits;
            if self.rest().starts_with(['L', 'l', 'f', 'd', 'F', 'D']) {
                self.at += 1;
            }
            return Ok(Node::Number(number));
        }
        let word = |c: char| c.is_alphanumeric() || c == '_';
        let length = rest.find(|c: char| !word(c)).unwrap_or(rest.len());
        let name = &rest[..length];
        self.at += length;
        match name {
            "" => Err(self.refuse()),
            "true" => Ok(Node::Number(1.0)),
            "false" => Ok(Node::Number(0.0)),
            "params" => {
                if self.eat("['") || self.eat("[\"") {
                    let rest = self.rest();
                    let end = rest.find(['\'', '"']).ok_or_else(|| self.refuse())?;
                    let name = rest[..end].to_owned();
                    self.at += end + 1;
                    return if self.eat("]") {
                        Ok(Node::Name(name))
                    } else {
                        Err(self.refuse())
                    };
                }
                if !self.eat(".") {
                    return Err(self.refuse());
                }
                let rest = self.rest();
                let length = rest.find(|c: char| !word(c)).unwrap_or(rest.len());
                if length == 0 {
                    return Err(self.refuse());
                }
                self.at += length;
                Ok(Node::Name(rest[..length].to_owned()))
            }
            "Math" => {
                if !self.eat(".") {
                    return Err(self.refuse());
                }
                let rest = self.rest();
                let length = rest.find(|c: char| !word(c)).unwrap_or(rest.len());
                let called = FUNCTIONS.iter().find(|(name, _)| *name == &rest[..length]);
                let Some((name, arity)) = called else {
                    return Err(self.refuse());
                };
                self.at += length;
                if !self.eat("(") {
                    return Err(self.refuse());
                }
                let mut args = vec![self.choice()?];
                while self.eat(",") && args.len() < 3 {
                    args.push(self.choice()?);
                }
                if args.len() != *arity || !self.eat(")") {
                    return Err(self.refuse());
                }
                Ok(Node::Call(name, args))
            }
            other => Ok(Node::Name(other.to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn run(source: &str) -> Option<f64> {
        let script = Script::parse(source, vec![("k".into(), 10.0)]).ok()?;
        script.evaluate(&[("a".into(), 6.0), ("b".into(), 4.0)])
    }

    #[test]
    fn arithmetic_has_the_usual_precedence() {
        assert_eq!(run("params.a + params.b * 2"), Some(14.0));
        assert_eq!(run("(params.a - params['b']) / params.k * 100"), Some(20.0));
        assert_eq!(
            run("params.a > 5 && params.b != 3 ? Math.max(1, 2.5) : -1"),
            Some(2.5)
        );
        assert_eq!(run("return a - b - 1;"), Some(1.0));
        assert_eq!(run("!(params.a < 1)"), Some(1.0));
        assert_eq!(run("params.missing"), None);
        assert!(run("doc['x'].value").is_none());
    }

    proptest! {
        #[test]
        fn any_source_gives_an_answer(source in "[-+*/%()!?:<>=&|.,0-9a-z'\\[\\] ]{0,60}") {
            let _ = run(&source);
        }
    }
}
