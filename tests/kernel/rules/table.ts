// The rules that the kernel and its machine are held to, by id: what each says, and what the rest of some waits for.

/** `id statement`, in the order of the ids. */
const STATEMENTS = `
IRQL-01 a raise returns the level before, and leaves the new one with the task priority that goes with it
IRQL-02 a raise to below the present level is bug check 9h
IRQL-03 a lower to above the present level is bug check 0Ah
IRQL-04 a raise or a lower to the present level changes nothing
IRQL-05 KeRaiseIrqlToDpcLevel works from levels 0 to 2 and is a bug check above
IRQL-06 at a level, no interrupt of that level or below comes in
IRQL-07 at a level, an interrupt above it comes at the first boundary with interrupts on and outside a shadow
IRQL-08 a raised level masks nothing on other processors
IRQL-09 an interrupt between the two stores of a change of level leaves level and task priority in step
IRQL-10 a lower lets in all that waits above the new level, the highest first, before its caller goes on
IRQL-11 a DPC asked for at level 2 or above runs when the level falls below 2
IRQL-12 an interrupt leaves registers, flags, level and task priority as they were
IRQL-13 interrupts nest upwards only and end in reverse order
IRQL-14 a software interrupt is acknowledged before its DPCs run, a device's after its service routine
IRQL-15 KeGetCurrentIrql is right everywhere outside the code that changes the level
IRQL-16 every handler has the same frame, runs with DF = 0, and drops an error code before it returns
IRQL-17 bytes 25h to 27h of the KPCR stay zero
IRQL-18 both halves of an interrupt command are written with interrupts off
APIC-01 a vector is delivered when its class is above those of the task priority and of what is in service
APIC-02 repeats of a vector merge: one in service and one waiting are remembered
APIC-03 what a write of the task priority unmasks comes before the next instruction, older stores before it
APIC-04 an end of interrupt clears the highest vector in service
APIC-05 an NMI passes task priority and IF, and wants no end of interrupt
APIC-06 the processor priority is the task priority, or the class in service where that is higher
APIC-07 a vector below 16 is never delivered, and the error status registers tell
APIC-08 a software-disabled local APIC drops fixed interrupts and takes NMI, INIT and STARTUP
APIC-09 an NMI within an NMI's handler waits for IRET, and one is remembered
APIC-10 spurious vectors change no level, are not in service and are not acknowledged
APIC-11 an edge on a masked input is lost; a level comes again after its end of interrupt, and not before
SL-01 KeInitializeSpinLock stores zero in the word and touches nothing else
SL-02 one processor at most is between an acquisition's return and the release
SL-03 KeAcquireSpinLock returns at level 2 with the level before
SL-04 the old level is stored when the lock is owned, not before
SL-05 the level is raised before the first try for the lock
SL-06 a raising release frees the lock before it lowers
SL-07 a raising release ends at the level it was given
SL-08 the AtDpcLevel forms touch neither level nor task priority
SL-09 a try answers at once, and leaves a held lock unchanged
SL-10 KeTestSpinLock tells whether the word is zero, for both kinds, and writes nothing
SL-11 a waiter locks the bus once while the lock is held
SL-12 every wait has a PAUSE
SL-13 after a release some waiter acquires without further help
SL-14 what one owner stored the next one sees
SL-15 a second acquisition by the owner hangs the free kernel and is bug check 0Fh in the checked one
SL-16 a release of a lock that is free or another's is bug check 10h in the checked kernel
SL-17 an AtDpcLevel acquisition below level 2 is bug check 9h in the checked kernel
SL-18 a FromDpcLevel release below level 2 is reported
SL-19 KeAcquireSpinLock above level 2 is bug check 9h
SL-20 KeReleaseSpinLock at another level than 2 is bug check 8h in the checked kernel
SL-21 a release to another level than the matching acquisition's is reported
SL-22 KeAcquireSpinLock followed by a FromDpcLevel release is reported
SL-23 the level does not fall below a held lock's
SL-24 use before initialisation, and a second initialisation, are reported
SL-25 locks taken in orders that make a cycle are reported even where nothing hung
SL-26 a lock held for more than 25 microseconds is noted
SL-27 the ForDpc forms raise from 0 alone and go back there alone
SL-28 no page fault, wait or exception while a lock is held
SL-29 a lock taken at level 2 and in a service routine is reported
SL-30 in the checked kernel a held word is its owner's thread with bit 0 set, at every instant
QL-01 one processor at most owns the lock, on every schedule of 2 to 4
QL-02 processors enter in the order of their exchanges
QL-03 the AtDpcLevel pair touches neither level nor task priority nor byte 8 of the handle, at 2 and above
QL-04 the raising form returns at 2, keeps the level before in the handle, and its release goes back there
QL-05 a handle may hold anything before its acquisition
QL-06 the word is zero when free, and the last handle's address when held
QL-07 a waiter reads its own handle alone
QL-08 a waiter is marked as waiting before its predecessor finds it
QL-09 a release waits for a newcomer that has come and not linked, then hands over
QL-10 a release frees the word by compare-exchange against its own handle alone
QL-11 the lock goes to the next in the queue
QL-12 nobody touches a handle once its release has returned
QL-13 a handle can be used again at once, for the same or another lock
QL-14 what an owner stored is seen before the hand-over
QL-15 of a queued handle's Lock only bits 0 and 1 change
QL-16 the compare-exchange locks the bus
QL-17 the raising release hands over before it lowers
QL-18 two locks with two handles can be released in any order
QL-19 a second acquisition by the owner hangs the free kernel and is bug check 0Fh in the checked one
QL-20 a release of a handle not owned, or twice, is bug check 10h in the checked kernel
QL-21 ordinary and queued routines on one lock are reported before damage is done
QL-22 a handle used by two at a time is reported
QL-23 a handle in static memory is allowed, and noted once
QL-24 an AtDpcLevel acquisition below level 2 is bug check 9h in the checked kernel
QL-25 the raising form above level 2 is bug check 9h
QL-26 every waiter enters within as many hand-overs as the queue is long
QL-27 the explorer finds all thirteen mutants of the queued lock
QL-28 the ForDpc forms behave as the raising pair from 0 and as the AtDpcLevel pair from 2
QL-29 a lock fresh from KeInitializeSpinLock can be used as either kind
QL-30 an AtDpcLevel acquisition ended by the raising release is reported before the level changes
QL-31 a raising acquisition ended by the FromDpcLevel release is reported
QL-32 the AtDpcLevel pair is quicker than the raising one, with one XCHG and one LOCK CMPXCHG
QL-33 the limits of ordinary spin locks hold for queued ones
RW-01 readers overlap; a writer overlaps with nobody
RW-02 while a writer waits no new reader enters
RW-03 a conversion succeeds for the sole reader with no writer waiting
RW-04 a converted lock is released as a writer's, to the reader's old level
RW-05 the AtDpcLevel forms leave the level alone
RW-06 recursion in any mode hangs the free kernel
XI-01 ExInterlocked operations on one lock are atomic, from threads, DPCs and interrupts at once
XI-02 ExInterlocked results are those documented
XI-03 IF is as it was afterwards
XI-04 an ExInterlocked lock given to a spin lock routine is reported
XI-05 Interlocked routines are atomic and full barriers
IO-01 KeSynchronizeExecution runs its routine here, at SynchronizeIrql, with the lock held
IO-02 a service routine and a synchronised section of one object never overlap
IO-03 KeAcquireInterruptSpinLock raises to SynchronizeIrql and its release goes back
IO-04 a service routine is entered at SynchronizeIrql with the lock held; FALSE passes to the next
IO-05 a service routine that returns at another level is bug check C8h
IO-06 after KeDisconnectInterrupt nobody touches the object
DPC-01 a DPC is in one queue at a time; a second insert is FALSE and keeps the first arguments
DPC-02 the routine gets the object, its context and both arguments at level 2
DPC-03 without a target a DPC runs where it was queued, with one it runs there
DPC-04 the queue is first in, first out, but for High, which goes to its head
DPC-05 Medium and above ask for a drain of this processor at once
DPC-06 MediumHigh and High interrupt another processor at once, the others when it is idle or the queue is deep
DPC-07 Low on this processor waits for depth, rate, idle or a tick
DPC-08 DPCs of one processor neither nest nor overlap
DPC-09 a DPC can queue itself again
DPC-10 an insert while a drain ends is not lost
DPC-11 KeRemoveQueueDpc TRUE: it never runs; FALSE changes nothing
DPC-12 KeFlushQueuedDpcs returns when all DPCs queued before have finished
DPC-13 a routine may free or make anew its own object
DPC-14 an insert on a processor that goes idle is seen
DPC-15 an insert works at every level and leaves it
DPC-16 a DPC that returns at another level is bug check C8h in the checked kernel
DPC-17 a DPC over its limit is bug check 133h
DPC-18 a change of importance or target has no effect on an earlier insert
DPC-19 KeRemoveQueueDpc looks again under the lock where the object is
DPC-20 KeFlushQueuedDpcs has Low and Medium DPCs of busy processors run too
DPC-21 a queue's lock is held with interrupts off alone
DPC-22 KeInsertQueueDpc leaves the object alone once it has freed the queue's lock
TMR-01 a one-shot timer's DPC runs once, within a period of its time
TMR-02 a periodic timer runs every period until cancelled
TMR-03 KeSetTimer on a timer in the list is TRUE and cancels the earlier setting
TMR-04 KeCancelTimer is TRUE in the list, FALSE after a one-shot has expired
TMR-05 expiry signals the timer and takes a one-shot out of the list before its DPC runs
TMR-06 ticks and interrupt time rise by their increments and never fall
TMR-07 KeStallExecutionProcessor waits at least as long as asked
TMR-08 KeQueryPerformanceCounter never goes back, across processors too
TMR-09 a timer whose DPC is still queued does not queue it twice
TMR-10 a tick during the expiry pass is not lost
TMR-11 a time already reached expires with the next tick
TMR-12 a second KeCancelTimer is FALSE; a DPC already queued still runs
TMR-13 the kernel leaves a one-shot timer alone once its DPC is queued
IPI-01 KeIpiGenericCall runs its routine when all have arrived and returns when all have finished
IPI-02 two KeIpiGenericCalls at once both complete
IPI-03 a spin lock held across KeIpiGenericCall is reported
BC-01 the STOP line has its exact form, and the first of two bug checks wins
BC-02 all other processors stop, whatever their level and IF
BC-03 callbacks run once each at level 31
BC-04 the level reported is the one before the bug check
BC-05 a STOP ends the command with status 6
LAY-01 all offsets, sizes and values of the documented layouts hold
CC-01 every routine keeps to its calling convention
CC-02 the upper bits of a level given as an argument mean nothing
HW-01 ISA IRQ 0 is at I/O APIC input 2, and the kernel takes inputs from the tables
HW-02 the 8254's mode 2 gives one edge a count
HW-03 INIT and STARTUP start a processor at its page; a second STARTUP changes nothing
HW-04 before a processor first lowers it has its own KPCR, number and enabled local APIC
`;

/** The rules of Milestone 1: the founding routine, and what it stands on. */
const FIRST_MILESTONE = `
IRQL-01..13 IRQL-16..18 APIC-01..03 APIC-06..08 SL-01..16 SL-30 QL-01..22 QL-27 QL-29..33
DPC-01..05 DPC-08 DPC-10 DPC-14 DPC-21 BC-01 BC-02 BC-05 LAY-01 CC-01 HW-01..04`;

export const MILESTONE_1: ReadonlySet<string> = new Set(
  FIRST_MILESTONE.trim()
    .split(/\s+/)
    .flatMap((range) => {
      const [, group = "", first = "", last = first] = /^(\w+)-(\d+)(?:\.\.(\d+))?$/.exec(range) ?? [];
      return Array.from({ length: Number(last) - Number(first) + 1 }, (_, index) => {
        return `${group}-${`${Number(first) + index}`.padStart(2, "0")}`;
      });
    }),
);

const VERIFIER = "the verifier's report";
const STORE_BUFFERS = "store buffers";

/** Rules that have to wait as a whole, and for what. */
export const WAITING: ReadonlyMap<string, string> = new Map([
  ["QL-21", VERIFIER],
  ["QL-22", VERIFIER],
  ["QL-30", VERIFIER],
  ["QL-31", VERIFIER],
]);

/** Rules of which a part has to wait, and for what. */
export const PARTLY_WAITING: ReadonlyMap<string, string> = new Map([
  ...["QL-18", "QL-19", "QL-20", "QL-29", "QL-33"].map((id) => [id, VERIFIER] as const),
  ...["SL-14", "QL-14", "APIC-03", "DPC-14"].map((id) => [id, STORE_BUFFERS] as const),
]);

export interface Rule {
  readonly id: string;
  readonly statement: string;
}

export const rules: readonly Rule[] = STATEMENTS.trim()
  .split("\n")
  .map((line) => {
    const [id = "", ...words] = line.split(" ");
    return { id, statement: words.join(" ") };
  });
