"""What readers do from the console: the words of the API's actions, by the same way, with the same rights."""

import asyncio
import uuid
from collections.abc import Iterable, Sequence

from diagnostics.case import Case
from diagnostics.instruction import Instruction, Verb
from diagnostics.silences import Silence, SilenceMatch, SilenceWord, said_at
from gateway.access.principal import Principal, Role, Scope
from gateway.access.trail import Trail
from gateway.api.desk import KEPT_WITHIN
from gateway.api.views import Instructed, Word
from gateway.console.language import t
from gateway.errors import ForewarnError, OutsideError
from rules.symbols import DeviceId


class NotDoneError(ForewarnError):
    """Nothing was done, or nobody knows; why, in the reader's language."""


class Actions:
    """The hands of one reader.

    What is done stands in the audit trail in the words of the API.

    Args:
        caller: who acts.
        instructed: takes what people say; None where no gateway is at work.
        trail: keeps who changed what.
    """

    def __init__(self, caller: Principal, instructed: Instructed | None, trail: Trail) -> None:
        self._caller = caller
        self._instructed = instructed
        self._trail = trail

    @property
    def who(self) -> str:
        """The reader's name, as it is written down with what was done."""
        return self._caller.name

    def may(self, tenant: str) -> bool:
        """Whether the reader may act on what is a brand's."""
        scopes = self._caller.scopes
        return (scopes is None or Scope.ACT in scopes) and self._caller.may(Role.ENGINEER, tenant)

    def may_anywhere(self) -> bool:
        """Whether the reader may act on anything at all."""
        scopes = self._caller.scopes
        return (scopes is None or Scope.ACT in scopes) and self._caller.may_anywhere(Role.ENGINEER)

    async def say(
        self,
        cases: Sequence[Case],
        verb: Verb,
        *,
        note: str = "",
        assignee: str | None = None,
        action: str = "",
    ) -> list[str | None]:
        """Say the same of cases; returns once it is kept.

        Returns:
            Of each case why it was refused, None where it was done.

        Raises:
            NotDoneError: it is not kept, nobody can say, or the reader may not.
        """
        self._check(case.tenant for case in cases)
        refusals = await self._tell(
            [
                Word(
                    DeviceId(case.tenant, case.device_class, case.device),
                    Instruction(
                        verb=verb,
                        case_id=case.case_id,
                        component=case.component,
                        fault=case.fault,
                        who=self.who,
                        instruction_id=instruction_id(),
                        note=note,
                        assignee=assignee,
                        action=action,
                    ),
                )
                for case in cases
            ]
        )
        for case, refused in zip(cases, refusals, strict=True):
            if refused is None:
                await self._keep(f"case.{verb.value}", f"case:{case.case_id}", case.tenant)
        return refusals

    async def silence(
        self, cases: Sequence[Case], matches: Sequence[SilenceMatch], *, starts: int, ends: int, note: str
    ) -> list[str | None]:
        """Begin a silence for each case, of what its match fits; returns once they are kept.

        Args:
            cases: at which it is asked for.
            matches: of each case.
            starts: ms.
            ends: ms.
            note: why.

        Raises:
            NotDoneError: it is not kept, nobody can say, or the reader may not.
        """
        self._check(case.tenant for case in cases)
        words = []
        for case, match in zip(cases, matches, strict=True):
            identifier = uuid.uuid4().hex[:12].upper()
            silence = Silence(
                silence_id=f"SI-{identifier}",
                tenant=case.tenant,
                match=match,
                starts=starts,
                ends=ends,
                note=note,
                case_id=case.case_id,
                created_at=starts,
                created_by=self.who,
            )
            word = SilenceWord(
                verb="silence", instruction_id=instruction_id(), who=self.who, silence=silence, note=note
            )
            words.append(Word(said_at(case.tenant), word))
        refusals = await self._tell(words)
        for case, refused in zip(cases, refusals, strict=True):
            if refused is None:
                await self._keep("case.silence", f"case:{case.case_id}", case.tenant)
        return refusals

    async def end_silence(self, silence: Silence, *, note: str) -> None:
        """End a silence now; returns once it is kept.

        Raises:
            NotDoneError: it is not kept, nobody can say, or the reader may not.
        """
        self._check([silence.tenant])
        word = SilenceWord(
            verb="end_silence",
            instruction_id=instruction_id(),
            who=self.who,
            silence_id=silence.silence_id,
            note=note,
        )
        (refused,) = await self._tell([Word(said_at(silence.tenant), word)])
        if refused is not None:
            raise NotDoneError(refused)
        await self._keep("silence.delete", f"silence:{silence.silence_id}", silence.tenant)

    async def _keep(self, what: str, target: str, tenant: str) -> None:
        """Write down what was done; it is done, and the ledger has it, whether or not the trail takes it."""
        await asyncio.to_thread(self._trail.changed, self._caller, what, target, tenant=tenant)

    def _check(self, tenants: Iterable[str]) -> None:
        for tenant in tenants:
            if not self.may(tenant):
                raise NotDoneError(t("You may look at {brand}, not act on it.", brand=tenant))

    async def _tell(self, words: Sequence[Word]) -> list[str | None]:
        if not words:
            return []
        if self._instructed is None:
            raise NotDoneError(t("No gateway is at work here."))
        try:
            async with asyncio.timeout(KEPT_WITHIN):
                return await self._instructed.instruct(words)
        except TimeoutError:
            raise NotDoneError(
                t("It is not kept after {seconds} s; it may be yet.", seconds=f"{KEPT_WITHIN:g}")
            ) from None
        except OutsideError as error:
            raise NotDoneError(str(error)) from None


def instruction_id() -> str:
    """Return what tells an instruction from all others."""
    return f"I-{uuid.uuid4().hex[:16]}"
