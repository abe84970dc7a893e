"""What runs is a version behind an alias: a bad one is taken back at once, parameters make one."""

import boto3

from tests.deployed.application import ALIAS, GMAIL, Deployed, event, publish, someone


def live(deployed: Deployed) -> str:
    """Return the version that is run."""
    name = deployed.stack.webhook_function_name
    return deployed.functions.get_alias(FunctionName=name, Name=ALIAS)["FunctionVersion"]


def return_url(deployed: Deployed) -> str:
    """Return a setting of the version that is run."""
    found = deployed.functions.get_function_configuration(
        FunctionName=deployed.stack.webhook_function_name, Qualifier=ALIAS
    )
    return found["Environment"]["Variables"]["RETURN_URL"]


def test_bad_version_is_taken_back_by_moving_the_alias_to_the_former_one(second: Deployed) -> None:
    body = event(second.account(someone("rolled-back"), GMAIL))
    good, name = live(second), second.stack.webhook_function_name

    bad = publish(second, name, TABLE_NAME="there-is-no-such-table")
    try:
        assert live(second) == bad != good
        assert second.send(body).status == 503
    finally:
        second.functions.update_alias(FunctionName=name, Name=ALIAS, FunctionVersion=good)

    assert second.send(body).status == 200
    assert live(second) == good
    publish(second, name, TABLE_NAME=second.stack.table_name)


def test_parameter_takes_effect_with_a_new_release_and_not_without(second: Deployed) -> None:
    client = boto3.client("cloudformation", **second.stack.connection)
    (stack,) = client.describe_stacks(StackName=second.stack.stack_name)["Stacks"]
    given = {one["ParameterKey"]: one["ParameterValue"] for one in stack["Parameters"]}

    def update(**parameters: str) -> None:
        changed = (given | parameters).items()
        client.update_stack(
            StackName=second.stack.stack_name,
            UsePreviousTemplate=True,
            Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in changed],
            Capabilities=["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"],
        )
        client.get_waiter("stack_update_complete").wait(
            StackName=second.stack.stack_name, WaiterConfig={"Delay": 1, "MaxAttempts": 60}
        )

    before, elsewhere = live(second), "https://application.example/connected"
    update(ReturnUrl=elsewhere)
    assert (live(second), return_url(second)) == (before, "")

    update(ReturnUrl=elsewhere, Release="2")
    assert live(second) != before
    assert return_url(second) == elsewhere

    update(Release="3")
    assert return_url(second) == ""

    # Lambda publishes no version of a function that has not changed: the release changes it.
    former = live(second)
    update(Release="4")
    assert live(second) != former
    assert second.send(event(second.account(someone("released"), GMAIL))).status == 200
    client.close()
