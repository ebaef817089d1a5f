; Rings, gates, faults, paging, 16-bit and real mode, each as a case that tells on port E9h how it ended.
;
;   NAME: ok EAX ECX EDX EBP ESI EDI EFLAGS
;   NAME: V vector [E error code [CR2 address]] EIP-from-case CS EFLAGS [ESP SS] R EAX ECX EDX EBX ESP
;
; A Multiboot kernel in the a.out kludge's form, so that NASM alone makes it. Numbers of selectors: see gdt.
bits 32
org 0x100000

pd         equ 0x200000            ; page directory, and the table of 4 KiB pages for 400000h to 7FFFFFh
pt         equ 0x201000
idt        equ 0x202000
tss        equ 0x203000
scratch    equ 0x204000
stack_top  equ 0x206000
inner_top  equ 0x208000
ring1_top  equ 0x20a000
user_top   equ 0x20c000
data16     equ 0x210000            ; base of the 16-bit data segments
low        equ 0x8000              ; where the real-mode code is copied to
READONLY   equ 0x401000
ABSENT     equ 0x402000
SUPERVISOR equ 0x403000

%macro CASE 1                      ; registers zero, the way out noted
        jmp %%start
%%name: db %1, 0
%%start:
        mov dword [name], %%name
        mov dword [start], %%code
        mov dword [after], %%end
        mov [stack], esp
        xor eax, eax
        xor ecx, ecx
        xor edx, edx
        xor ebx, ebx
        xor ebp, ebp
        xor esi, esi
        xor edi, edi
%%code:
%push case
%define %$end %%end
%define AFTER %%end
%endmacro

%macro DONE 0
        call report_end
%$end:
%pop
%endmacro

%macro RING3 0                     ; what follows runs in ring 3 on its own stack
        push dword 0x23
        push dword user_top
        pushfd
        push dword 0x1b
        push dword %%user
        iretd
%%user:
%endmacro

%macro SELF_IPI 1
        mov dword [0xfee00300], 0x44000 | %1
%endmacro

image:
header: dd 0x1badb002, 0x10000, -(0x1badb002 + 0x10000)
        dd header, image, 0, 0, entry

entry:  cli
        mov al, 0xff               ; no interrupts but our own
        out 0x21, al
        out 0xa1, al
        mov esp, stack_top
        lgdt [gdtr]
        jmp 0x08:.reloaded
.reloaded:
        mov ax, 0x10
        mov ds, ax
        mov es, ax
        mov ss, ax
        mov fs, ax
        mov gs, ax
        xor ecx, ecx               ; gates: interrupt gates of ring 0, but INT3 and INT 30h for all, INTO a trap gate
.gate:  lea eax, [stubs + ecx * 8]
        mov [idt + ecx * 8], ax
        mov word [idt + ecx * 8 + 2], 0x08
        mov word [idt + ecx * 8 + 4], 0x8e00
        shr eax, 16
        mov [idt + ecx * 8 + 6], ax
        inc ecx
        cmp ecx, 64
        jb .gate
        mov byte [idt + 0x30 * 8 + 5], 0xee
        mov byte [idt + 3 * 8 + 5], 0xee
        mov byte [idt + 4 * 8 + 5], 0xef
        lidt [idtr]
        mov dword [tss + 4], inner_top
        mov dword [tss + 8], 0x10
        mov dword [tss + 12], ring1_top
        mov dword [tss + 16], 0x89
        mov word [tss + 0x66], 0x68
        mov dword [tss + 0x68 + 0x400 / 8], -1
        mov ax, 0x28
        ltr ax
        mov eax, cr4               ; paging: all one to one, 4 MiB pages but for one table
        or al, 0x10
        mov cr4, eax
        mov dword [pd], 0x87
        mov dword [pd + 4], pt + 7
        mov dword [pd + 0x3fb * 4], 0xfec00083
        mov ecx, 1023
.page:  mov eax, ecx
        shl eax, 12
        add eax, 0x400067
        mov [pt + ecx * 4], eax
        dec ecx
        jns .page
        mov dword [pt + 4], READONLY + 5
        mov dword [pt + 8], ABSENT + 6
        mov dword [pt + 12], SUPERVISOR + 3
        mov eax, pd
        mov cr3, eax
        mov eax, cr0
        or eax, 0x80000000
        mov cr0, eax
        mov dword [0xfee000f0], 0x1ff

; ---- exceptions and interrupts within ring 0
CASE "UD2"
        ud2
DONE
CASE "division by zero"
        mov eax, 5
        div ecx
DONE
CASE "INT3"
        int3
DONE
CASE "INTO after an overflow"
        mov al, 0x7f
        inc al
        into
DONE
CASE "INTO without one"
        into
DONE
CASE "INT 31h"
        int 0x31
DONE
CASE "INT beyond the table"
        int 0x80
DONE
CASE "BOUND"
        mov eax, 5
        mov dword [scratch], 6
        mov dword [scratch + 4], 9
        bound eax, [scratch]
DONE
CASE "LOCK NOP"
        db 0xf0, 0x90
DONE
CASE "MOV CS"
        db 0x8e, 0xc8
DONE
CASE "LEA of a register"
        db 0x8d, 0xc0
DONE
CASE "15 bytes, then 16"
        times 14 db 0x66
        nop
        times 15 db 0x66
        nop
DONE

; ---- segments
CASE "DS beyond the table"
        mov eax, 0x1000
        mov ds, ax
DONE
CASE "DS not present"
        mov eax, 0x50
        mov ds, ax
DONE
CASE "SS not present"
        mov eax, 0x50
        mov ss, ax
DONE
CASE "SS null"
        mov ss, ax
DONE
CASE "LTR of a busy TSS"
        mov ax, 0x28
        ltr ax
DONE
CASE "LLDT of data"
        mov ax, 0x10
        lldt ax
DONE
CASE "SGDT, STR, SLDT"
        sgdt [scratch]
        mov eax, [scratch]
        str ecx
        sldt edx
DONE

; ---- pages
CASE "read of an absent page"
        mov eax, [ABSENT + 0x123]
DONE
CASE "write to an absent page"
        mov [ABSENT + 0xffe], eax
DONE
CASE "read into an absent page"
        mov eax, [ABSENT - 2]
DONE
CASE "write to a read-only page without WP"
        mov dword [READONLY], 1
        mov eax, [pt + 4]
DONE
        mov eax, cr0
        or eax, 0x10000
        mov cr0, eax
CASE "write to a read-only page with WP"
        mov dword [READONLY], 2
DONE
        mov eax, cr0
        and eax, ~0x10000
        mov cr0, eax
CASE "REP MOVS into an absent page"
        mov esi, image
        mov edi, ABSENT - 16
        mov ecx, 16
        rep movsd
DONE
CASE "INVLPG makes a new mapping seen"
        mov eax, [0x407000]
        mov dword [0x407000], 0x1234
        mov dword [0x408000], 0x5678
        mov dword [pt + 7 * 4], 0x408067
        invlpg [0x407000]
        mov eax, [0x407000]
DONE
CASE "accessed and dirty"
        mov dword [pt + 9 * 4], 0x409007
        invlpg [0x409000]
        mov eax, [0x409000]
        mov eax, [pt + 9 * 4]
        mov [0x409000], eax
        mov ecx, [pt + 9 * 4]
        mov edx, [pd]
DONE
CASE "code across two pages"
        mov edi, 0x404ffd
        mov dword [edi], 0x345678b8
        mov dword [edi + 4], 0xc312
        call edi
DONE
        mov dword [pt + 6 * 4], 0
        invlpg [0x406000]
CASE "code into an absent page"
        mov edi, 0x405ffe
        mov word [edi], 0x00b8
        jmp edi
DONE

; ---- code that writes code
CASE "the next instruction"
        mov byte [%$next + 1], 0x55
%$next:  mov al, 0x11
DONE
CASE "REP STOS over itself"
        mov edi, %$over
        mov ecx, 8
        mov al, 0x90
        rep stosb
        nop
%$over:  ud2
        ud2
        ud2
        ud2
DONE

; ---- far transfers and gates
CASE "far call to absent code"
        call 0x80:0
DONE
CASE "far call to data"
        call 0x10:0
DONE
CASE "far call to conforming code"
        mov eax, esp
        call 0x48:%$back
        sub eax, esp
        jmp %$over
%$back:  mov ecx, cs
        retf
%$over:
DONE
CASE "IRET to data"
        pushfd
        push dword 0x10
        push dword AFTER
        iretd
DONE
CASE "IRET to a null selector"
        pushfd
        push dword 0
        push dword AFTER
        iretd
DONE
CASE "IRET to ring 3 with a stack of ring 0"
        push dword 0x10
        push dword user_top
        pushfd
        push dword 0x1b
        push dword AFTER
        iretd
DONE
CASE "handler in an absent segment"
        mov word [idt + 0x31 * 8 + 2], 0x80
        int 0x31
DONE
CASE "handler with a null selector"
        mov word [idt + 0x31 * 8 + 2], 0
        int 0x31
DONE
CASE "handler of an outer ring"
        mov word [idt + 0x31 * 8 + 2], 0x18
        int 0x31
DONE
        mov word [idt + 0x31 * 8 + 2], 0x08
CASE "absent gate"
        mov byte [idt + 0x31 * 8 + 5], 0x0e
        int 0x31
DONE
CASE "call gate in the IDT"
        mov byte [idt + 0x31 * 8 + 5], 0x8c
        int 0x31
DONE
CASE "16-bit gate"
        mov byte [idt + 0x31 * 8 + 5], 0x86
        mov word [idt + 0x31 * 8], handler16 - image
        mov word [idt + 0x31 * 8 + 2], 0x38
        mov word [idt + 0x31 * 8 + 6], 0
        mov esi, esp
        int 0x31
after16:
        sub esi, esp
DONE
        mov word [idt + 13 * 8 + 2], 0
CASE "#GP whose handler has a null selector"
        mov eax, 0x1000
        mov ds, ax
DONE
        mov word [idt + 13 * 8 + 2], 0x08
        mov eax, stubs + 0x31 * 8  ; vector 31h as it was
        mov [idt + 0x31 * 8], ax
        shr eax, 16
        mov [idt + 0x31 * 8 + 6], ax
        mov dword [idt + 0x31 * 8 + 2], 0x8e000008

; ---- rings 1 and 3
CASE "ring 3: INT 30h"
        RING3
        mov eax, 0x1234
        int 0x30
DONE
CASE "ring 3: INT 31h"
        RING3
        int 0x31
DONE
CASE "ring 3: INT3"
        RING3
        int3
DONE
CASE "ring 3: UD2"
        RING3
        ud2
DONE
CASE "ring 3: CLI"
        RING3
        cli
DONE
CASE "ring 3: HLT"
        RING3
        hlt
DONE
CASE "ring 3: MOV from CR0"
        RING3
        mov eax, cr0
DONE
CASE "ring 3: DS of ring 0"
        RING3
        mov eax, 0x10
        mov ds, ax
DONE
CASE "ring 3: data segments of ring 0 are gone"
        RING3
        mov eax, ds
        mov ecx, gs
        int 0x30
DONE
CASE "ring 3: supervisor page"
        RING3
        mov ax, 0x23
        mov ds, ax
        mov eax, [SUPERVISOR]
DONE
CASE "ring 3: read-only page"
        RING3
        mov ax, 0x23
        mov ds, ax
        mov [READONLY + 4], eax
DONE
CASE "ring 3: push to an absent page"
        RING3
        mov esp, ABSENT + 0x800
        push eax
DONE
CASE "ring 3: jump to an absent page"
        RING3
        mov eax, ABSENT + 0x10
        jmp eax
DONE
CASE "ring 3: jump to a supervisor page"
        RING3
        mov eax, SUPERVISOR + 0x10
        jmp eax
DONE
CASE "ring 3: IN of an open port"
        RING3
        mov dx, 0x61
        in al, dx
        xor eax, eax
        int 0x30
DONE
CASE "ring 3: IN of a closed port"
        RING3
        mov edx, 0x400
        in al, dx
DONE
CASE "ring 3: POPFD"
        RING3
        push dword 0x3f3ed7
        popfd
        pushfd
        pop eax
        int 0x30
DONE
CASE "ring 3: IRET to ring 0"
        RING3
        pushfd
        push dword 0x08
        push dword AFTER
        iretd
DONE
CASE "ring 3: IRET to ring 3"
        RING3
        pushfd
        push dword 0x1b
        push dword %$here
        iretd
%$here:  mov eax, 1
        int 0x30
DONE
CASE "ring 3: RETF by a selector of ring 0"
        RING3
        push dword 0x18
        push dword 0
        retf
DONE
CASE "ring 3: conforming code"
        RING3
        call 0x48:%$back
        mov ecx, cs
        int 0x30
%$back:  mov edx, cs
        retf
DONE
CASE "ring 3: LAR, LSL, VERR, VERW"
        RING3
        mov ebx, 0x10
        lar eax, ebx
        setz cl
        mov ebx, 0x1b
        lar eax, ebx
        and eax, 0xf0ff00
        lsl edx, ebx
        verr bx
        setz ch
        verw bx
        setz bl
        int 0x30
DONE
CASE "ring 3: ARPL"
        RING3
        mov eax, 0x20
        mov ebx, 3
        arpl ax, bx
        int 0x30
DONE
CASE "ring 1: INT 31h"
        push dword 0x89
        push dword ring1_top
        pushfd
        push dword 0x79
        push dword %$ring1
        iretd
%$ring1: mov eax, cs
        mov ecx, ss
        int 0x31
DONE

; ---- 16-bit code and stacks
CASE "16-bit code"
        mov [kept], esp
        mov ax, 0x40
        mov ss, ax
        mov esp, 0xabcd0100
        jmp 0x38:(code16 - image)
from16: mov ax, 0x10
        mov ss, ax
        mov ds, ax
        mov es, ax
        mov esp, [kept]
DONE
CASE "32-bit code on a 16-bit stack"
        mov [kept], esp
        mov ebp, esp
        mov ax, 0x40
        mov ss, ax
        mov esp, 0xabcd0100
        push dword 0x11223344
        call %$call
        enter 8, 2
        mov ecx, esp
        mov edx, ebp
        leave
        mov esi, esp
        pushad
        popad
        mov edi, esp
        pop eax
        push ax
        pop word [scratch]
        mov bx, 0x10
        mov ss, bx
        mov esp, [kept]
        jmp %$over
%$call:  ret
%$over:
DONE
CASE "ring 3 on a 16-bit stack"
        push dword 0x73
        push dword 0x99990100
        pushfd
        push dword 0x1b
        push dword %$user
        iretd
%$user:  mov eax, esp
        push eax
        int 0x30
DONE

; ---- when interrupts are taken
CASE "STI holds an interrupt off for one instruction"
        SELF_IPI 0x35
        sti
        nop
        nop
        nop
        cli
DONE
CASE "STI, CLI lets none in"
        SELF_IPI 0x35
        sti
        cli
        nop
DONE
CASE "STI, HLT lets it in behind HLT"
        sti
        hlt
        cli
DONE
CASE "POPFD lets it in at once"
        SELF_IPI 0x36
        pushfd
        or dword [esp], 0x200
        popfd
        nop
        nop
        cli
DONE

CASE "real mode and back"
        mov [kept], esp
        mov esi, real
        mov edi, low
        mov ecx, real_end - real
        rep movsb
        mov dword [0x21 * 4], (low << 12) + service - real
        mov eax, cr0
        and eax, 0x7fffffff
        mov cr0, eax
        lidt [real_idtr]
        mov ax, 0x98
        mov ds, ax
        mov es, ax
        mov ss, ax
        mov fs, ax
        mov gs, ax
        jmp 0x90:low
from_real:
        mov ax, 0x10
        mov ds, ax
        mov es, ax
        mov ss, ax
        mov fs, ax
        mov gs, ax
        mov esp, [kept]
        lidt [idtr]
        mov eax, cr0
        or eax, 0x80000000
        mov cr0, eax
        mov esi, low + results - real
        lodsd
        mov ecx, [esi]
        mov edx, [esi + 4]
        mov ebp, [esi + 8]
        mov edi, [esi + 16]
        mov esi, [esi + 12]
DONE
        mov esi, the_end
        call puts
        lidt [no_idtr]             ; a triple fault ends the run
        ud2

; ---- reports
report_end:
        pushfd
        pushad
        mov esi, [name]
        call puts
        mov esi, text_ok
        call puts
        mov ecx, 7
.next:  cmp ecx, 4                 ; not ESP and EBX, which are where code and stacks lie
        je .skip
        cmp ecx, 3
        je .skip
        mov eax, [esp + ecx * 4]
        call puthex
.skip:  dec ecx
        jns .next
        mov eax, [esp + 32]
        call puthex
        mov al, 10
        out 0xe9, al
        popad
        popfd
        ret

handler:                           ; vector, [error code,] EIP, CS, EFLAGS, [ESP, SS]
        pushad
        cld
        mov ax, 0x10
        mov ds, ax
        mov es, ax
        mov esi, [name]
        call puts
        mov esi, text_vector
        call puts
        mov eax, [esp + 32]
        call puthex
        lea ebp, [esp + 36]
        mov ecx, eax
        cmp ecx, 8
        je .error
        cmp ecx, 10
        jb .frame
        cmp ecx, 14
        ja .frame
.error: mov esi, text_error
        call puts
        mov eax, [ebp]
        call puthex
        add ebp, 4
        cmp ecx, 14
        jne .frame
        mov esi, text_cr2
        call puts
        mov eax, cr2
        call puthex
.frame: mov eax, [ebp]
        sub eax, [start]
        call puthex
        mov eax, [ebp + 4]
        call puthex
        mov eax, [ebp + 8]
        and eax, ~0x10000          ; QEMU does not set RF in the image
        call puthex
        test byte [ebp + 4], 3
        jz .registers
        mov eax, [ebp + 12]
        call puthex
        mov eax, [ebp + 16]
        call puthex
.registers:
        mov esi, text_registers
        call puts
        mov ecx, 7
.next:  mov eax, [esp + ecx * 4]
        call puthex
        dec ecx
        cmp ecx, 2
        ja .next
        mov al, 10
        out 0xe9, al
        mov ecx, [esp + 32]
        cmp ecx, 0x35
        jb .leave
        mov dword [0xfee000b0], 0  ; 35h and 36h came from the local APIC and go back
        popad
        add esp, 4
        iretd
.leave: mov esp, [stack]
        push dword 2
        popfd
        jmp [after]

puthex: pushad
        mov edx, eax
        mov ecx, 8
.digit: rol edx, 4
        mov al, dl
        and al, 15
        add al, '0'
        cmp al, '9'
        jbe .put
        add al, 'a' - '9' - 1
.put:   out 0xe9, al
        loop .digit
        mov al, ' '
        out 0xe9, al
        popad
        ret

puts:   pushad
.next:  lodsb
        test al, al
        jz .end
        out 0xe9, al
        jmp .next
.end:   popad
        ret

text_ok:        db ": ok ", 0
text_vector:    db ": V ", 0
text_error:     db "E ", 0
text_cr2:       db "CR2 ", 0
text_registers: db "R ", 0
the_end:        db "end", 10, 0

align 8
stubs:
%assign vector 0
%rep 64
        align 8
        push byte vector
        jmp near handler
%assign vector vector + 1
%endrep

; ---- 16-bit code, in a segment that begins at `image`
bits 16
code16: mov cx, 3
.loop:  loop .loop
        push word 0x1234
        push dword 0x55667788
        pop eax
        pop dx
        mov [ss:0x10], esp
        mov ax, 0x40
        mov ds, ax
        mov es, ax
        call near .near
        mov [0x14], esp
        mov bx, 0xfff0
        mov si, 0x20
        mov [bx + si + 0x10], ax
        mov di, [0x20]
        push cs
        push word .far - image
        retf
.far:   enter 4, 1
        mov [0x18], ebp
        leave
        pusha
        popa
        pushad
        popad
        call 0x38:(.called - image)
        mov ecx, 0x10000
        jcxz .zero
        mov ax, 0xdead
.zero:  jecxz .zero
        mov ecx, [0x10]
        mov esi, [0x14]
        mov ebp, [0x18]
        jmp dword 0x08:from16
.near:  mov ax, sp
        ret
.called:
        retf

handler16:
        mov ax, [esp]
        mov cx, [esp + 2]
        mov dx, [esp + 4]
        add esp, 6
        jmp dword 0x08:after16

; ---- real mode: copied to 0800:0000
real:   mov eax, cr0
        and al, 0xfe
        mov cr0, eax
        jmp low >> 4:.real - real
.real:  mov ax, 0x2000
        mov ss, ax
        mov esp, 0x12340ffe
        xor ax, ax
        mov ds, ax
        mov es, ax
        int 0x21
        mov [cs:results + 4 - real], esp
        pushf
        pop word [cs:results + 8 - real]
        mov ax, 0xffff             ; the segment beyond the first MiB
        mov ds, ax
        mov edx, [0x10]
        mov [cs:results + 12 - real], edx
        push word low >> 4
        push word .far - real
        retf
.far:   sti
        pushfd
        cli
        pop dword [cs:results - real]
        mov [cs:results + 16 - real], cs
        mov [cs:results + 18 - real], ss
        mov eax, cr0
        or al, 1
        mov cr0, eax
        jmp dword 0x08:from_real
service:
        mov bp, sp
        mov edx, [bp]
        mov [cs:results + 20 - real], edx
        iret
results: times 24 db 0
real_end:

align 8
gdt:    dq 0
        dq 0x00cf9b000000ffff      ; 08 code
        dq 0x00cf93000000ffff      ; 10 data
        dq 0x00cffb000000ffff      ; 18 code, ring 3
        dq 0x00cff3000000ffff      ; 20 data, ring 3
        dq 0x00008920300000ff      ; 28 TSS
        dq 0                       ; 30
        dq 0x00009b100000ffff      ; 38 16-bit code
        dq 0x000093210000ffff      ; 40 16-bit data
        dq 0x00cf9f000000ffff      ; 48 conforming code
        dq 0x00cf13000000ffff      ; 50 data, not present
        dq 0                       ; 58
        dq 0                       ; 60
        dq 0                       ; 68
        dq 0x0000f3210000ffff      ; 70 16-bit data, ring 3
        dq 0x00cfbb000000ffff      ; 78 code, ring 1
        dq 0x00cf1b000000ffff      ; 80 code, not present
        dq 0x00cfb3000000ffff      ; 88 data, ring 1
        dq 0x00009b000000ffff      ; 90 code as real mode has it
        dq 0x000093000000ffff      ; 98 data as real mode has it
gdt_end:
gdtr:   dw gdt_end - gdt - 1
        dd gdt
idtr:   dw 64 * 8 - 1
        dd idt
real_idtr:
        dw 0x3ff
        dd 0
no_idtr:
        dw 0
        dd 0
name:   dd 0
start:  dd 0
after:  dd 0
stack:  dd 0
kept:   dd 0
