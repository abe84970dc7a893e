"""What runs is a version behind an alias: a bad one can be taken back; parameters make one."""

import time

import boto3

from tests.deployed.application import ALIAS, GMAIL, event, publish, someone, until
from tests.deployed.finishing import Finishing


def live(finishing: Finishing) -> str:
    """Return the version that runs."""
    name = finishing.stack.webhook_function_name
    return finishing.functions.get_alias(FunctionName=name, Name=ALIAS)["FunctionVersion"]


def return_url(finishing: Finishing) -> str:
    """Return a setting of the version that runs."""
    found = finishing.functions.get_function_configuration(
        FunctionName=finishing.stack.webhook_function_name, Qualifier=ALIAS
    )
    return found["Environment"]["Variables"]["RETURN_URL"]


def test_bad_version_is_taken_back_by_moving_the_alias_to_the_former_one(
    finishing: Finishing,
) -> None:
    body = event(finishing.account(someone("rolled-back"), GMAIL))
    good, name = live(finishing), finishing.stack.webhook_function_name

    bad = publish(finishing, name, TABLE_NAME="there-is-no-such-table")
    try:
        assert live(finishing) == bad != good
        assert finishing.send(body).status == 503
    finally:
        finishing.functions.update_alias(FunctionName=name, Name=ALIAS, FunctionVersion=good)

    assert finishing.send(body).status == 200
    assert live(finishing) == good
    publish(finishing, name, TABLE_NAME=finishing.stack.table_name)


def test_parameter_takes_effect_with_a_new_release_and_not_without(finishing: Finishing) -> None:
    client = boto3.client("cloudformation", **finishing.stack.connection)
    (stack,) = client.describe_stacks(StackName=finishing.stack.stack_name)["Stacks"]
    given = {one["ParameterKey"]: one["ParameterValue"] for one in stack["Parameters"]}

    def update(**parameters: str) -> None:
        changed = (given | parameters).items()
        client.update_stack(
            StackName=finishing.stack.stack_name,
            UsePreviousTemplate=True,
            Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in changed],
            Capabilities=["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"],
        )
        client.get_waiter("stack_update_complete").wait(
            StackName=finishing.stack.stack_name, WaiterConfig={"Delay": 1, "MaxAttempts": 60}
        )

    before, elsewhere = live(finishing), "https://application.example/connected"
    update(ReturnUrl=elsewhere)
    assert (live(finishing), return_url(finishing)) == (before, "")

    update(ReturnUrl=elsewhere, Release="2")
    assert live(finishing) != before
    assert return_url(finishing) == elsewhere

    update(Release="3")
    assert return_url(finishing) == ""

    # Lambda publishes no version of an unchanged function: the release changes it.
    former = live(finishing)
    update(Release="4")
    assert live(finishing) != former
    assert finishing.send(event(finishing.account(someone("released"), GMAIL))).status == 200
    client.close()


def test_schedule_runs_the_sweep_a_minute_after_the_stack_was_created(finishing: Finishing) -> None:
    # In this file, since other tests have used the stack before: the minute is mostly over.
    since = time.time()
    finishing.schedule_every("1 minute")
    try:
        until(lambda: '"SweepRun"' in finishing.worker_log(since), "the schedule runs a sweep")
    finally:
        finishing.stop_the_clock()
