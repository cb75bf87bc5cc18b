//! A real server in a container. The suite asks it as the witness does.

use std::collections::BTreeMap;
use std::time::Duration;

use libtest_mimic::Failed;
use steadfast::evidence::{Row, SqlAnswer};
use steadfast::mysql::flavour::Flavour;
use steadfast::mysql::statements::{self, REPLICA_PASSWORD, WRITER_PASSWORD};
use steadfast::witness::protocol::{Secret, SqlAsk, Tls};
use steadfast::witness::sql;
use steadfast_suites::environment::timeout_scale;
use testcontainers::core::error::TestcontainersError;
use testcontainers::runners::AsyncRunner;
use testcontainers::{ContainerAsync, GenericImage, ImageExt};
use tokio::time::{Instant, sleep};

/// The label with the name of the run, on every container.
pub(crate) const LABEL: &str = "steadfast.flavours";

/// A password that is cut short if it is not quoted.
const ROOT: &str = r#"it's "quoted" \ here"#;
const REPLICA: &str = r#"r'e"p\l `i ca"#;
const WRITER: &str = r#"w\'r";--"#;

/// The pause before a server is asked again.
const PAUSE: Duration = Duration::from_millis(100);

/// The time limit for one answer.
const ANSWER: Duration = Duration::from_secs(10);

/// The first start initialises the server, which takes longer.
const START: Duration = Duration::from_secs(180);

/// How long servers may take to do what they were asked to do.
pub(crate) const SOON: Duration = Duration::from_secs(30);

/// One server.
pub(crate) struct Server {
    container: ContainerAsync<GenericImage>,
    /// Its name on the network, which is also its host name.
    pub name: String,
}

impl Server {
    /// Creates the container. Use [`Self::serves`] to wait until it answers.
    pub(crate) async fn start(image: &str, run: &str, network: &str, name: String, id: u32) -> Result<Self, Failed> {
        let (repository, tag) = image.rsplit_once(':').ok_or("an image without a tag")?;
        let request = GenericImage::new(repository, tag)
            .with_cmd(arguments(image, id))
            .with_container_name(&name)
            .with_hostname(&name)
            .with_network(network)
            .with_label(LABEL, run)
            .with_env_var("MYSQL_ROOT_PASSWORD", ROOT);
        let container = request.start().await?;
        Ok(Self { container, name })
    }

    /// Waits until the server answers an authenticated query.
    pub(crate) async fn serves(&self) -> Result<(), Failed> {
        let begun = Instant::now();
        loop {
            let answer = self.answer(&[statements::PING]).await;
            if matches!(answer, SqlAnswer::Rows(_)) {
                return Ok(());
            }
            let runs = self.container.is_running().await?;
            if !runs || begun.elapsed() > START.mul_f64(timeout_scale()) {
                let what = if runs { "answers no query" } else { "has ended" };
                let log = self.log().await;
                let last: Vec<&str> = log.lines().rev().take(12).collect();
                let last: Vec<&str> = last.into_iter().rev().collect();
                return Err(format!("{} {what}: {answer:?}; its log ends:\n{}", self.name, last.join("\n")).into());
            }
            sleep(PAUSE).await;
        }
    }

    /// The log of the server so far.
    pub(crate) async fn log(&self) -> String {
        let log = self.container.stderr_to_vec().await;
        log.map_or_else(|error| format!("no log: {error}"), |bytes| String::from_utf8_lossy(&bytes).into_owned())
    }

    /// Stops the server as a pod is stopped, and starts it again with its data.
    pub(crate) async fn restart(&self) -> Result<(), Failed> {
        self.container.stop_with_timeout(Some(60)).await?;
        self.container.start().await?;
        self.serves().await
    }

    /// Answers these statements as root.
    pub(crate) async fn answer<S: AsRef<str>>(&self, statements: &[S]) -> SqlAnswer {
        self.answer_to("root", ROOT, statements, ANSWER, Tls::Preferred).await
    }

    /// The same over TLS. It fails if the server offers no TLS.
    pub(crate) async fn answer_over_tls<S: AsRef<str>>(&self, statements: &[S]) -> SqlAnswer {
        self.answer_to("root", ROOT, statements, ANSWER, Tls::Required).await
    }

    /// Answers these statements as the account that makes trial writes.
    pub(crate) async fn answer_to_trial<S: AsRef<str>>(&self, flavour: Flavour, statements: &[S]) -> SqlAnswer {
        let (user, password) = flavour.ordinary_writer().map_or(("root", ROOT), |user| (user, WRITER));
        self.answer_to(user, password, statements, ANSWER, Tls::Preferred).await
    }

    async fn answer_to<S: AsRef<str>>(
        &self,
        user: &str,
        password: &str,
        statements: &[S],
        limit: Duration,
        tls: Tls,
    ) -> SqlAnswer {
        // The address changes when the container starts again.
        let address = match self.container.get_bridge_ip_address().await {
            Ok(address) => address,
            Err(error) => return SqlAnswer::Unreachable { message: format!("{} has no address: {error}", self.name) },
        };
        let secrets = [(REPLICA_PASSWORD, REPLICA), (WRITER_PASSWORD, WRITER)];
        let ask = SqlAsk {
            address,
            port: 3306,
            user: user.to_owned(),
            password: password.into(),
            tls,
            statements: statements.iter().map(|statement| statement.as_ref().to_owned()).collect(),
            secrets: BTreeMap::from(secrets.map(|(name, secret)| (name.to_owned(), Secret::from(secret)))),
        };
        sql::ask(&ask, limit.mul_f64(timeout_scale())).await
    }

    /// The rows that the last of these statements returns.
    pub(crate) async fn ask<S: AsRef<str>>(&self, statements: &[S]) -> Result<Vec<Row>, Failed> {
        self.ask_within(statements, ANSWER).await
    }

    /// The same, for statements that may take longer.
    pub(crate) async fn ask_within<S: AsRef<str>>(
        &self,
        statements: &[S],
        limit: Duration,
    ) -> Result<Vec<Row>, Failed> {
        match self.answer_to("root", ROOT, statements, limit, Tls::Preferred).await {
            SqlAnswer::Rows(rows) => Ok(rows),
            other => {
                let said: Vec<&str> = statements.iter().map(AsRef::as_ref).collect();
                Err(format!("{} answers {other:?} to:\n{}", self.name, said.join(";\n")).into())
            }
        }
    }

    /// The only row that the last of these statements returns.
    pub(crate) async fn row<S: AsRef<str>>(&self, statements: &[S]) -> Result<Row, Failed> {
        let mut rows = self.ask(statements).await?;
        match (rows.pop(), rows.len()) {
            (Some(row), 0) => Ok(row),
            (_, more) => Err(format!("{} gives {more} rows more than one", self.name).into()),
        }
    }

    /// Repeats a question until the answer is right.
    pub(crate) async fn until(
        &self,
        what: &str,
        statements: &[&str],
        right: impl Fn(&[Row]) -> bool,
    ) -> Result<Vec<Row>, Failed> {
        let begun = Instant::now();
        loop {
            let rows = self.ask(statements).await?;
            if right(&rows) {
                return Ok(rows);
            }
            if begun.elapsed() > SOON.mul_f64(timeout_scale()) {
                return Err(format!("{}: awaited {what} for {SOON:?}; last seen: {rows:?}", self.name).into());
            }
            sleep(PAUSE).await;
        }
    }

    /// Removes the container. It may be gone already, and the removal of the run reports other failures later.
    pub(crate) async fn remove(self) {
        let _: Result<(), TestcontainersError> = self.container.rm().await;
    }
}

/// The arguments that the manifests use for a server of this version.
fn arguments(image: &str, id: u32) -> Vec<String> {
    let mut arguments = vec![format!("--server-id={id}")];
    let common = [
        "--log-bin=binlog",
        "--log-slave-updates=ON",
        "--relay-log=relay",
        "--relay-log-recovery=ON",
        "--sync-binlog=1",
        "--innodb-flush-log-at-trx-commit=1",
    ];
    let own: &[&str] = match image.contains("mariadb") {
        true => &["--gtid-strict-mode=ON"],
        false => &[
            "--gtid-mode=ON",
            "--enforce-gtid-consistency=ON",
            // Since 8.3 `TABLE` is the only choice.
            "--loose-relay-log-info-repository=TABLE",
            "--loose-master-info-repository=TABLE",
        ],
    };
    arguments.extend(common.iter().chain(own).map(|&argument| argument.to_owned()));
    arguments
}

/// A value that must exist.
pub(crate) fn value<'a>(row: &'a Row, column: &str) -> Result<&'a str, Failed> {
    let value = row.get(column).ok_or_else(|| format!("no column {column} in {row:?}"))?;
    value.as_deref().ok_or_else(|| format!("{column} is NULL in {row:?}").into())
}

/// Fails with this message if something does not hold.
pub(crate) fn ensure(holds: bool, otherwise: impl FnOnce() -> String) -> Result<(), Failed> {
    if holds { Ok(()) } else { Err(otherwise().into()) }
}
