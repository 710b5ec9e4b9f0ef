"""Why a look is when it is: a sentence for each reason."""

from __future__ import annotations

from collections.abc import Mapping

from orchestrator.core.learned.paces import Why

WHY: Mapping[Why, str] = {
    Why.NO_DATA: "too few jobs like it have ended to know better, so the gateway's guidance is followed",
    Why.LEARNED: "by what was learned this is when a look is worth its request",
    Why.FLOOR: "by what was learned sooner would be better, but the gateway asks for this much patience",
    Why.LONGEST: "by what was learned later would be cheaper, but no look is put off further than that",
    Why.SILENT: "the webhooks it waits for have stopped coming, so the gateway's guidance is followed",
    Why.LEFT_ALONE: "it is one of the few left alone, by which it is learned how late webhooks come",
    Why.CLOSELY: "it is one of the few that follow the guidance closely, to learn when jobs end",
    Why.ERRORS: "the last looks failed, and each failure doubles the wait, up to five minutes",
    Why.RETRIED: "our receiver was away, and the gateway is about to tell again what it could not tell then",
    Why.NO_ROOM: "it was to be sent by now, but its tenant's rate of looks leaves room for others first",
    Why.SHADOW: "its webhooks are only scored, so the gateway's guidance is followed",
    Why.OFF: "the settings say that the gateway's guidance is followed",
    Why.DEADLINE: "it is the last look, at the job's deadline",
}

SHORT: Mapping[Why, str] = {
    Why.NO_DATA: "guidance, too little is known",
    Why.LEARNED: "as learned",
    Why.FLOOR: "as soon as the gateway allows",
    Why.LONGEST: "as late as is allowed",
    Why.SILENT: "guidance, its webhooks stopped coming",
    Why.LEFT_ALONE: "left alone to learn from",
    Why.CLOSELY: "guidance, to learn from",
    Why.ERRORS: "the last looks failed",
    Why.RETRIED: "left to the gateway's next try",
    Why.NO_ROOM: "no room in its tenant's rate of looks",
    Why.SHADOW: "guidance, webhooks are only scored",
    Why.OFF: "guidance, by setting",
    Why.DEADLINE: "its deadline",
}
