"""What a number of jobs would cost: requests, lag, and both in one number, by each way of looking."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from orchestrator.cli.options import AsJson, DataDir

if TYPE_CHECKING:
    from orchestrator.engine.planning import Bounds, World
    from orchestrator.settings import Settings

NETS = [300.0]


def plan(
    jobs: Annotated[int, typer.Option(min=1, max=10**12, help="How many jobs.")] = 1_000_000,
    within: Annotated[
        str, typer.Option(metavar="SPAN", help="The time over which they are submitted.")
    ] = "1d",
    durations: Annotated[
        str | None,
        typer.Option(
            metavar="SHAPE",
            help="How long jobs take, in seconds: lognormal:60:0.5 (median, sigma), 90±8, uniform:0:300, "
            "mix:0.5*40±4+0.5*240±24, file:PATH with one duration a line.",
            show_default=False,
        ),
    ] = None,
    model: Annotated[
        str | None, typer.Option(help="Use what was learned about this model instead.", show_default=False)
    ] = None,
    provider: Annotated[
        str | None, typer.Option(help="Use what was learned about this provider.", show_default=False)
    ] = None,
    learned: Annotated[
        bool, typer.Option("--learned", help="Use what was learned about the most frequent kind of job.")
    ] = False,
    hook_loss: Annotated[
        float | None,
        typer.Option(min=0, max=1, help="Share of webhooks that never arrive.", show_default=False),
    ] = None,
    hook_delay: Annotated[
        str | None,
        typer.Option(metavar="SHAPE", help="How late webhooks arrive; at once if only their loss is given."),
    ] = None,
    floor: Annotated[
        float | None,
        typer.Option(min=0.1, max=3_600, help="The gateway's hint. [ORCHESTRATOR_POLL_AFTER_SECONDS]"),
    ] = None,
    worth: Annotated[
        float | None,
        typer.Option(
            min=0.01,
            max=86_400,
            help="Seconds of lag that a request is worth. [ORCHESTRATOR_REQUEST_WORTH_SECONDS]",
        ),
    ] = None,
    longest: Annotated[
        float | None,
        typer.Option(min=1, max=86_400, help="The widest spacing. [ORCHESTRATOR_LONGEST_SPACING_SECONDS]"),
    ] = None,
    net: Annotated[
        list[float] | None,
        typer.Option(
            min=1,
            max=86_400,
            metavar="SECONDS",
            help="A fixed spacing to compare with; may be repeated. [default: 300]",
            show_default=False,
        ),
    ] = None,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Estimate what looking at jobs costs, in requests and lag.

    Compares the gateway's guidance, fixed spacings, and the learned rule, for numbers of your own
    (--durations) or what the database has learned (--model, --learned). Nothing is sent anywhere. Without
    --hook-loss and --hook-delay, --durations means jobs without webhooks.
    """
    from orchestrator import wiring
    from orchestrator.cli.plan_page import print_prospect
    from orchestrator.cli.spans import seconds
    from orchestrator.engine.planning import prospect

    of_store = learned or model is not None or provider is not None
    if of_store == (durations is not None):
        raise typer.BadParameter("give either --durations, or --model, --provider or --learned")
    settings = wiring.read_settings(quiet=True, data_dir=data_dir)
    bounds = _bounds(settings, floor, worth, longest)
    own = _own(durations, hook_loss, hook_delay)
    world = own if durations is not None else _learned(settings, model, provider, own)
    assert world is not None
    found = prospect(world, bounds, NETS if net is None else net)
    print_prospect(found, world, bounds, jobs=jobs, within=max(seconds(within), 1.0), as_json=as_json)


def _bounds(settings: Settings, floor: float | None, worth: float | None, longest: float | None) -> Bounds:
    from orchestrator.engine.planning import Bounds

    return Bounds(
        settings.poll_after_seconds if floor is None else floor,
        settings.request_worth_seconds if worth is None else worth,
        settings.longest_spacing_seconds if longest is None else longest,
    )


def _own(durations: str | None, hook_loss: float | None, hook_delay: str | None) -> World | None:
    """The world as the options describe it; without durations only its webhooks count."""
    from orchestrator.cli.given import lines_of
    from orchestrator.core.learned.shapes import shape_of
    from orchestrator.engine.planning import AT_ONCE, assumed

    if durations is None and hook_loss is None and hook_delay is None:
        return None
    return assumed(
        AT_ONCE if durations is None else shape_of(durations, lines_of),
        lost=hook_loss,
        delays=None if hook_delay is None else shape_of(hook_delay, lines_of),
    )


def _learned(settings: Settings, model: str | None, provider: str | None, webhooks: World | None) -> World:
    from orchestrator.cli.database import opened
    from orchestrator.engine.planning import remembered

    with opened(settings) as context, context.store.read() as tx:
        return remembered(tx, model=model, provider=provider, webhooks=webhooks)
