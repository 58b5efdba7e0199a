"""Checks that kill nothing which no other check kills, and why they stay."""

from __future__ import annotations

JUSTIFIED: dict[str, str] = {
    "shapes": "It is the first question, and its answer says what is wrong where others only fail.",
    "permutation": "A row that is alone is the first row, so `row-alone` sees what it sees; but it "
    "runs the batch as it is, and so points at rows that are mixed and not at padding.",
    "padding-poison": "`more-padding` fills in one number where it tries several, and other checks "
    "stumble over the same; it is the check whose message names the cause.",
    "copies": "Other checks work on copies themselves, and stumble over what it names.",
    "frames-not-negative": "A frame below 0 breaks `frames-from-log` as well; where a predictor "
    "returns no prediction it is the only one that asks.",
    "side-inputs-matter": "No component of the table has side inputs; toys that have some are in "
    "`tests/conformance/test_capabilities.py`.",
    "frames-vary": "`sensitivity` finds a predictor that says nothing; rounding is its own word.",
    "causality": "A step cannot know what comes later, so `step-equals-forward` differs as well; "
    "but not where training runs through the steps, and only it names the frame that is known.",
}
