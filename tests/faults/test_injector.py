"""Each kind of fault does to a call what its name says, below the SDK's retries."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from botocore.exceptions import ClientError, ConnectTimeoutError, ReadTimeoutError
from faults.clock import VirtualClock, virtual_time
from faults.injector import Injector, injecting
from faults.kinds import FunctionDied
from faults.plans import Fault
from moto import mock_aws
from shoal.aws import client, code_of


@pytest.fixture(scope="module", autouse=True)
def clock() -> Iterator[VirtualClock]:
    with pytest.MonkeyPatch.context() as patched, mock_aws(), virtual_time() as made:
        for key in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            patched.setenv(key, "testing")
        patched.setenv("AWS_DEFAULT_REGION", "us-west-2")
        client.cache_clear()
        yield made
    client.cache_clear()


@pytest.fixture
def injector(clock: VirtualClock) -> Iterator[Injector]:
    with injecting(Injector(now=clock.monotonic)) as made:
        yield made


def exists(name: str) -> bool:
    return bool(client("ecs").describe_clusters(clusters=[name])["clusters"])


@pytest.mark.parametrize(
    ("kind", "error", "code", "attempts", "made"),
    [
        ("throttle", None, "", 2, True),
        ("throttle*", ClientError, "ThrottlingException", 3, False),
        ("denied", ClientError, "AccessDeniedException", 1, False),
        ("5xx", None, "", 2, True),
        ("5xx*", ClientError, "ServerException", 3, False),
        ("connect", None, "", 2, True),
        ("connect*", ConnectTimeoutError, "", 3, False),
        ("lost", None, "", 2, True),
        ("lost*", ReadTimeoutError, "", 3, True),
        ("5xx-after", None, "", 2, True),
        ("5xx-after*", ClientError, "ServerException", 3, True),
        ("crash-before", FunctionDied, "", 1, False),
        ("crash-after", FunctionDied, "", 1, True),
    ],
)
def test_a_fault_meets_the_call(
    injector: Injector, kind: str, error: type[BaseException] | None, code: str, attempts: int, made: bool
) -> None:
    # Given
    name = f"reef-{kind.replace('*', '-always')}"
    injector.begin([Fault("ecs.CreateCluster", 2, kind)])
    client("ecs").create_cluster(clusterName="first")
    # When
    caught: BaseException | None = None
    try:
        client("ecs").create_cluster(clusterName=name)
    except (Exception, FunctionDied) as raised:  # noqa: BLE001 - the table says which
        caught = raised
    call = injector.calls[-1]
    injector.end()
    # Then
    assert (type(caught) if caught is None else error) == (type(None) if error is None else error)
    assert error is None or isinstance(caught, error)
    assert (code_of(caught) if isinstance(caught, Exception) else "") == code
    assert (call.attempts, exists(name)) == (attempts, made)


@pytest.mark.parametrize(
    ("service", "code"),
    [
        ("autoscaling", "Throttling"),
        ("dynamodb", "ProvisionedThroughputExceededException"),
        ("ec2", "RequestLimitExceeded"),
        ("ecs", "ThrottlingException"),
        ("elbv2", "Throttling"),
        ("sqs", "ThrottlingException"),
    ],
)
def test_a_throttle_has_the_code_of_its_service(injector: Injector, service: str, code: str) -> None:
    ask = {
        "autoscaling": ("DescribeAutoScalingGroups", "describe_auto_scaling_groups"),
        "dynamodb": ("ListTables", "list_tables"),
        "ec2": ("DescribeVpcs", "describe_vpcs"),
        "ecs": ("ListClusters", "list_clusters"),
        "elbv2": ("DescribeLoadBalancers", "describe_load_balancers"),
        "sqs": ("ListQueues", "list_queues"),
    }
    operation, method = ask[service]
    injector.begin([Fault(f"{service}.{operation}", 1, "throttle*")])
    with pytest.raises(ClientError) as raised:
        getattr(client(service), method)()
    injector.end()
    assert code_of(raised.value) == code


def test_a_lasting_fault_meets_every_later_call_until_it_is_lifted(injector: Injector) -> None:
    injector.begin([Fault("ecs.ListClusters", 2, "denied**")])
    client("ecs").list_clusters()
    for _ in range(2):
        with pytest.raises(ClientError):
            client("ecs").list_clusters()
    injector.end()
    assert client("ecs").list_clusters()


@pytest.mark.parametrize(("kind", "behind"), [("stale", 1), ("slow", 3)])
def test_a_view_is_behind_for_a_while(
    injector: Injector, clock: VirtualClock, kind: str, behind: int
) -> None:
    # Given
    name = f"late-{kind}"
    injector.begin([Fault("ecs.DescribeClusters", 2, kind)])
    assert not exists(name)
    # When
    client("ecs").create_cluster(clusterName=name)
    seen = []
    for _ in range(5):
        seen.append(exists(name))
        clock.sleep(3)
    injector.end()
    # Then
    assert seen == [False] * behind + [True] * (5 - behind)
    assert injector.changed_a_view


def test_a_strongly_consistent_read_is_never_behind(injector: Injector) -> None:
    dynamodb = client("dynamodb")
    dynamodb.create_table(
        TableName="t",
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": "k", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "k", "KeyType": "HASH"}],
    )
    ask = {"TableName": "t", "Key": {"k": {"S": "a"}}, "ConsistentRead": True}
    injector.begin([Fault("dynamodb.GetItem", 2, "stale")])
    assert "Item" not in dynamodb.get_item(**ask)
    dynamodb.put_item(TableName="t", Item={"k": {"S": "a"}})
    assert "Item" in dynamodb.get_item(**ask)
    injector.end()
